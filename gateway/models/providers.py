"""Where requests go: providers and the credentials the gateway uses for them."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from gateway.dialects.names import ProviderDialect
from gateway.dialects.profiles import PROFILES
from gateway.models.resilience import BreakerSettings, QueueSettings, RetrySettings
from gateway.models.transport import NAME_VALIDATOR, ConnectionSettings, HealthCheckSettings
from gateway.models.validators import check_extra_headers


class Provider(ConnectionSettings, HealthCheckSettings, BreakerSettings, RetrySettings, QueueSettings):
    """A host that answers model requests. `anthropic` and `openai` stand for the addresses of the environment."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    dialect = models.CharField(max_length=16, choices=[(d.value, d.value) for d in ProviderDialect])
    address = models.CharField(
        max_length=500, help_text="Origin and path prefix, with or without /v1, such as https://api.anthropic.com"
    )
    profile = models.CharField(
        max_length=32,
        blank=True,
        choices=[(name, name) for name in PROFILES],
        help_text="What it takes and how it speaks, for callers of another API; empty: by its host name",
    )
    keyless = models.BooleanField(default=False, help_text="It asks for no credential, as an engine of your own")
    region = models.CharField(max_length=32, blank=True, validators=[NAME_VALIDATOR])
    extra_headers = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_extra_headers],
        help_text="Headers to send along, name to value; one the client sent is replaced",
    )
    slow_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.01)],
        help_text="An answer that begins later is logged as slow",
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """A provider's key, kept encrypted; the clear text is write-only and lives in memory alone."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="credentials")
    name = models.CharField(max_length=64, validators=[NAME_VALIDATOR])
    ciphertext = models.BinaryField(editable=False)
    last_four = models.CharField(max_length=4, editable=False, blank=True)
    fingerprint = models.CharField(max_length=32, editable=False)
    enabled = models.BooleanField(default=True)
    per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Requests it may make in a minute; empty: as many as the provider takes",
    )
    blocked = models.BooleanField(default=False, help_text="Not used, by a person's word or the provider's")
    blocked_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is unblocked")
    blocked_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("provider__name", "name")
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="credential_name_per_provider")]

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.name}"
