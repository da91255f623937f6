"""Which model name leads where."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from gateway.dialects.names import Shortcut
from gateway.models.providers import Provider
from gateway.models.validators import check_dialects, check_failures, check_header_table, check_texts
from gateway.policy.strategies import Scenario, Strategy


class ModelRoute(models.Model):
    """A model name, or a pattern with `*` and `?`, the conditions beside it, and where it leads.

    Among the routes whose conditions hold an exact name wins over a pattern; then the lowest position, then the name,
    decides. `provider` and `model` are the first target; `RouteTarget` holds those after it.
    """

    name = models.CharField(max_length=200, unique=True, blank=True, help_text="Empty: as what it matches")
    match = models.CharField(max_length=200, help_text="A model name, or a pattern such as claude-*")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="routes")
    model = models.CharField(max_length=200, blank=True, help_text="The model to ask for; empty keeps the caller's")
    weight = models.PositiveIntegerField(default=1, help_text="Its share beside the other targets, when weighted")
    strategy = models.CharField(
        max_length=16,
        choices=[(choice.value, choice.value.replace("_", " ")) for choice in Strategy],
        default=Strategy.IN_ORDER.value,
        help_text="Which target is tried first; the others follow when it fails",
    )
    fallback_on = models.JSONField(
        default=list,
        blank=True,
        validators=[check_failures],
        help_text="Failures after which the next target is tried: statuses such as 529, and connect, timeout, broken; "
        "empty: 429, 5xx, connect, timeout, broken",
    )
    scenario = models.CharField(
        max_length=16,
        blank=True,
        choices=[(choice.value, choice.value.replace("_", " ")) for choice in Scenario],
        help_text="Only for requests of this kind",
    )
    min_tokens = models.PositiveIntegerField(
        default=60_000, help_text="Where long context begins, in tokens estimated from the size"
    )
    dialects = models.JSONField(
        default=list, blank=True, validators=[check_dialects], help_text="Only for these; empty: for all"
    )
    keys = models.JSONField(
        default=list, blank=True, validators=[check_texts], help_text="Only for API keys of these names"
    )
    teams = models.JSONField(
        default=list,
        blank=True,
        validators=[check_texts],
        help_text="Only for these teams, or names given by /t/NAME",
    )
    headers = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_header_table],
        help_text="Only with these headers: name to value or pattern",
    )
    min_bytes = models.PositiveIntegerField(null=True, blank=True, help_text="Only for bodies of this size or more")
    max_bytes = models.PositiveIntegerField(null=True, blank=True, help_text="Only for bodies of this size or less")
    position = models.PositiveIntegerField(default=100)
    enabled = models.BooleanField(default=True)
    demote = models.BooleanField(
        default=False, help_text="Ask the provider for a stream where the caller wants none, and fold it back"
    )
    shortcuts = models.JSONField(default=list, blank=True, help_text="Names of dialects.names.Shortcut")

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return f"{self.match} → {self.provider.name}" + (f"/{self.model}" if self.model else "")

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name = self.name or self.match
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if not isinstance(self.shortcuts, list) or set(map(str, self.shortcuts)) - set(Shortcut):
            raise ValidationError({"shortcuts": f"Each is one of {', '.join(Shortcut)}."})


class RouteTarget(models.Model):
    """A target of a route after its first."""

    route = models.ForeignKey(ModelRoute, on_delete=models.CASCADE, related_name="targets")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="further_routes")
    model = models.CharField(max_length=200, blank=True, help_text="Empty keeps the caller's")
    weight = models.PositiveIntegerField(default=1)
    position = models.PositiveIntegerField(default=100)

    class Meta:
        ordering = ("position", "pk")

    def __str__(self) -> str:
        return self.provider.name + (f"/{self.model}" if self.model else "")
