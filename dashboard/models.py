"""What the dashboard keeps of its own: who did what, and what people want to ask again."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """Something a person did that others may have to answer for. Written once: a trigger refuses changes and removals.

    Names are kept as they were, and no row is referred to, so that an event outlives what it is about.
    """

    class Action(models.TextChoices):
        SIGNED_IN = "signed in"
        SIGN_IN_FAILED = "sign-in failed"
        SIGNED_OUT = "signed out"
        ACCOUNT = "account changed"
        READ = "read"
        EXPORTED = "exported"
        REVEALED = "revealed"
        CHANGED = "changed"

    at = models.DateTimeField(auto_now_add=True)
    action = models.CharField(max_length=16, choices=Action.choices)
    actor_id = models.BigIntegerField(null=True, help_text="the user; null when nobody was signed in")
    actor_name = models.CharField(max_length=150, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="where the request came from")
    target = models.TextField(blank=True, help_text="what it was done to")
    details = models.TextField(blank=True, help_text="lines that went and came, without secrets; or what was asked for")

    class Meta:
        ordering = ("-id",)
        verbose_name = "audit event"
        indexes = [
            models.Index(fields=["actor_name", "-id"], name="auditevent_actor"),
            models.Index(fields=["action", "-id"], name="auditevent_action"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'nobody'} {self.action} {self.target}"


class SavedView(models.Model):
    """What somebody asked a page for, under a name: for themselves, or for everybody of a team."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    team = models.ForeignKey(
        "gateway.Team", on_delete=models.CASCADE, null=True, blank=True, help_text="who sees it beside its owner"
    )
    page = models.CharField(max_length=40, help_text="the page's name")
    name = models.CharField(max_length=80)
    query = models.TextField(help_text="the query string of the address, without its question mark")
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(fields=["owner", "page", "name"], name="savedview_name")]

    def __str__(self) -> str:
        return self.name


class MutedError(models.Model):
    """A kind of failure that somebody does not want to see for a while, among their own lists alone."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="muted_errors")
    query = models.TextField(help_text="the kind, in the language of the list of requests")
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "query"], name="mutederror_once")]

    def __str__(self) -> str:
        return self.query


class PinnedRequest(models.Model):
    """A request somebody keeps at hand, with a note: for themselves, or for everybody of its team.

    It refers to no row, so that it outlives what it is about.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pinned_requests")
    team = models.ForeignKey(
        "gateway.Team", on_delete=models.SET_NULL, null=True, blank=True, help_text="who sees it beside its owner"
    )
    request_id = models.UUIDField(db_index=True)
    note = models.CharField(max_length=300, blank=True)
    pinned_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-pinned_at", "-id")
        constraints = [models.UniqueConstraint(fields=["owner", "request_id"], name="pinnedrequest_once")]

    def __str__(self) -> str:
        return f"{self.request_id}"
