"""What each version of each client was seen to use of its API, and what providers said to it."""

from __future__ import annotations

from django.db import models


class Capability(models.Model):
    """One beta, body field, block type or tool type, as one version of a client used it."""

    class Kind(models.TextChoices):
        BETA = "beta"
        FIELD = "field", "body field"
        BLOCK = "block", "block type"
        TOOL = "tool", "tool type"

    client = models.TextField()
    client_version = models.TextField(blank=True)
    dialect = models.TextField()
    kind = models.TextField(choices=Kind.choices)
    name = models.TextField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField(help_text="to the minute")
    forwarded_at = models.DateTimeField(null=True, help_text="last sent on to a provider")
    accepted_at = models.DateTimeField(null=True, help_text="last in a request the provider answered without an error")
    refused_at = models.DateTimeField(null=True, help_text="last named in a provider's refusal")
    refusal = models.TextField(blank=True, help_text="what the provider said then")

    class Meta:
        verbose_name_plural = "capabilities"
        ordering = ("-first_seen", "client", "kind", "name")
        constraints = [
            models.UniqueConstraint(
                fields=["client", "client_version", "dialect", "kind", "name"], name="capability_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.client} {self.client_version}: {self.kind} {self.name}"
