"""Who may call: teams and the keys handed to people and services."""

from __future__ import annotations

from django.db import models

from gateway.models.providers import NAME_VALIDATOR


class Team(models.Model):
    """People who share keys and see each other's history."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A key that opens the gateway. It is shown once; only its keyed digest is stored."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="api_keys")
    digest = models.BinaryField(unique=True, editable=False, help_text="HMAC-SHA256 of the key")
    hint = models.CharField(
        max_length=16, editable=False, blank=True, help_text="Its beginning and last four characters"
    )
    enabled = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
