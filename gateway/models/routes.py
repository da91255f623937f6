"""Which model name leads where."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from gateway.dialects.names import Shortcut
from gateway.models.providers import Provider


class ModelRoute(models.Model):
    """A model name, or a pattern with `*` and `?`, and the provider and model it leads to.

    An exact name wins over a pattern; among patterns the lowest position, then the name, decides.
    """

    match = models.CharField(max_length=200, unique=True, help_text="A model name, or a pattern such as claude-*")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="routes")
    model = models.CharField(max_length=200, blank=True, help_text="The model to ask for; empty keeps the caller's")
    position = models.PositiveIntegerField(default=100)
    enabled = models.BooleanField(default=True)
    demote = models.BooleanField(
        default=False, help_text="Ask the provider for a stream where the caller wants none, and fold it back"
    )
    shortcuts = models.JSONField(default=list, blank=True, help_text="Names of dialects.names.Shortcut")

    class Meta:
        ordering = ("position", "match")

    def __str__(self) -> str:
        return f"{self.match} → {self.provider.name}" + (f"/{self.model}" if self.model else "")

    def clean(self) -> None:
        if not isinstance(self.shortcuts, list) or set(map(str, self.shortcuts)) - set(Shortcut):
            raise ValidationError({"shortcuts": f"Each is one of {', '.join(Shortcut)}."})
