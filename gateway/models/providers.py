"""Where requests go: providers and the credentials the gateway uses for them."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from gateway.dialects.names import ProviderDialect

NAME_VALIDATOR = RegexValidator(
    r"^[a-z0-9][a-z0-9._-]*$", "Use lower-case letters, digits, dots, underscores and hyphens."
)


class Provider(models.Model):
    """A host that answers model requests. `anthropic` and `openai` stand for the addresses of the environment."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    dialect = models.CharField(max_length=16, choices=[(d.value, d.value) for d in ProviderDialect])
    address = models.CharField(
        max_length=500, help_text="Origin and path prefix, with or without /v1, such as https://api.anthropic.com"
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

    class Meta:
        ordering = ("provider__name", "name")
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="credential_name_per_provider")]

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.name}"
