"""Who may call: teams and the keys handed to people and services."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from gateway.models.transport import NAME_VALIDATOR
from gateway.models.validators import check_dialects, check_networks, check_texts


class Team(models.Model):
    """People who share keys and see each other's history."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    region = models.CharField(max_length=32, blank=True, validators=[NAME_VALIDATOR], help_text="Of its callers")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A person's place: in one team, or in none, which for ops and admins means all."""

    class Role(models.TextChoices):
        MEMBER = "member", "member: sees the team's requests"
        LEAD = "lead", "lead: sees them and manages the team's keys"
        OPS = "ops", "ops: changes the configuration, sees figures, no prompts and answers"
        ADMIN = "admin", "admin: everything"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="members")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        ordering = ("user__username", "team__name")
        constraints = [
            models.UniqueConstraint(fields=["user", "team"], nulls_distinct=False, name="member_once_per_team")
        ]

    def __str__(self) -> str:
        return f"{self.user.get_username()}: {self.role}" + (f" of {self.team}" if self.team else "")


class ApiKey(models.Model):
    """A key that opens the gateway. It is shown once; only its keyed digest is stored."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="api_keys")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="api_keys",
        help_text="The person whose requests it makes; empty for a service",
    )
    digest = models.BinaryField(unique=True, editable=False, help_text="HMAC-SHA256 of the key")
    hint = models.CharField(
        max_length=16, editable=False, blank=True, help_text="Its beginning and last four characters"
    )
    enabled = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    allowed_dialects = models.JSONField(
        default=list, blank=True, validators=[check_dialects], help_text="APIs it may speak; empty: all"
    )
    allowed_models = models.JSONField(
        default=list,
        blank=True,
        validators=[check_texts],
        help_text="Models it may ask for, or patterns; empty: all",
    )
    allowed_providers = models.JSONField(
        default=list, blank=True, validators=[check_texts], help_text="Providers it may reach; empty: all"
    )
    allow_addresses = models.JSONField(
        default=list, blank=True, validators=[check_networks], help_text="Networks it may call from; empty: all"
    )
    deny_addresses = models.JSONField(
        default=list, blank=True, validators=[check_networks], help_text="Networks it may not call from"
    )
    priority = models.SmallIntegerField(default=0, help_text="Who waits for a place: the higher goes first")
    region = models.CharField(max_length=32, blank=True, validators=[NAME_VALIDATOR], help_text="Empty: the team's")
    previous_digest = models.BinaryField(null=True, editable=False, help_text="of the key before the last rotation")
    previous_until = models.DateTimeField(null=True, blank=True, help_text="Until when the former key opens, too")
    signing_ciphertext = models.BinaryField(editable=False, blank=True, default=b"")
    debug_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then every decision about its requests is logged"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
