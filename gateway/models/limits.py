"""Limits and budgets as ops edit them, and what became of the budgets: their standing and who was warned."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from gateway.models.transport import ABOVE_ZERO, NAME_VALIDATOR
from gateway.models.validators import check_networks, check_texts
from gateway.policy.limits import Measure, Scope, WhenUnknown
from gateway.policy.windows import Period

ABOVE_NONE = [MinValueValidator(1)]
EXEMPT = "exempt_from_limits"
"""The permission whose holders' keys no limit and no budget is about."""


def choices(kind: Any) -> list[tuple[str, str]]:
    return [(choice.value, choice.value) for choice in kind]


def check_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"{value} is no time zone; write one like UTC or Europe/Berlin.")


class CountedRule(models.Model):
    """Whom a rule is about, and what it is counted for."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    scope = models.CharField(
        max_length=12,
        choices=choices(Scope),
        default=Scope.EVERYTHING.value,
        help_text="What has a counter of its own: one for everything, or one for each team, member, key and so on",
    )
    names = models.JSONField(
        default=list,
        blank=True,
        validators=[check_texts],
        help_text="Only these of them: names or patterns such as ci-*, of addresses networks; empty: each of them",
    )
    when_unknown = models.CharField(
        max_length=8,
        choices=[
            (WhenUnknown.ALLOW.value, "allow: by what this process knows"),
            (WhenUnknown.REFUSE.value, "refuse: with 503, until it is known"),
        ],
        default=WhenUnknown.ALLOW.value,
        help_text="While the count cannot be known, because Redis or the ledger is out of reach",
    )
    enabled = models.BooleanField(default=True)
    # The last of the fields: its name is that of the module.
    models = models.JSONField(
        default=list,
        blank=True,
        validators=[check_texts],
        help_text="Only requests for these models, or patterns such as claude-opus-*; empty: for all",
    )

    class Meta:
        abstract = True
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.scope == Scope.ADDRESS.value and self.names:
            try:
                check_networks(self.names)
            except ValidationError as error:
                raise ValidationError({"names": error.messages}) from None


class Limit(CountedRule):
    """How much may be sent at once. Empty: not limited."""

    requests_per_second = models.FloatField(null=True, blank=True, validators=ABOVE_ZERO)
    requests_per_minute = models.FloatField(null=True, blank=True, validators=ABOVE_ZERO)
    burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=ABOVE_NONE,
        help_text="How many requests may come at once before the rate counts; empty: as many as the rate allows in its "
        "second or minute",
    )
    tokens_per_minute = models.PositiveBigIntegerField(
        null=True, blank=True, validators=ABOVE_NONE, help_text="Input and output together, cached input included"
    )
    concurrent = models.PositiveIntegerField(
        null=True, blank=True, validators=ABOVE_NONE, help_text="Requests under way at once"
    )

    BOUNDS = ("requests_per_second", "requests_per_minute", "tokens_per_minute", "concurrent")

    def clean(self) -> None:
        super().clean()
        if all(getattr(self, name) is None for name in self.BOUNDS):
            raise ValidationError("A limit needs at least one bound: requests, tokens or concurrent.")


class Budget(CountedRule):
    """What may be spent in a day, a week or a month, for each of what it is counted for."""

    period = models.CharField(max_length=8, choices=choices(Period), default=Period.MONTHLY.value)
    zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[check_zone],
        help_text="By whose clocks a day, a week (from Monday) or a month begins: an IANA name, like Europe/Berlin",
    )
    usd = models.FloatField(null=True, blank=True, validators=ABOVE_ZERO, help_text="US dollars in each period")
    tokens = models.PositiveBigIntegerField(
        null=True, blank=True, validators=ABOVE_NONE, help_text="Tokens in each period, cached input included"
    )
    message = models.CharField(
        max_length=300,
        blank=True,
        help_text="Added to the sentence that a refused client prints, such as: Ask in #ai-platform for more",
    )
    show = models.BooleanField(
        default=True,
        help_text="Tell the standing in the headers of answers: a Claude Code that is signed in to a gateway then "
        "warns at 75 and 95 %. The provider's own anthropic-ratelimit headers then stay in the record alone",
    )

    class Meta(CountedRule.Meta):
        permissions = [(EXEMPT, "Keys owned by them are exempt from limits and budgets")]

    def clean(self) -> None:
        super().clean()
        if self.usd is None and self.tokens is None:
            raise ValidationError("A budget needs a sum: US dollars, tokens or both.")


class BudgetStanding(models.Model):
    """How much of a budget is spent, for one subject in one window: told by the processes, seconds old."""

    budget = models.CharField(max_length=64, help_text="its name")
    subject = models.TextField(blank=True, help_text="which team, key and so on; empty: everything")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    usd = models.FloatField(default=0.0)
    tokens = models.FloatField(default=0.0)
    told_at = models.DateTimeField()

    class Meta:
        ordering = ("budget", "subject")
        constraints = [
            models.UniqueConstraint(fields=["budget", "subject", "window_start"], name="budget_standing_once")
        ]
        indexes = [models.Index(fields=["window_end"], name="budgetstanding_end")]

    def __str__(self) -> str:
        return f"{self.budget} {self.subject}".strip()


class BudgetEvent(models.Model):
    """A budget came to 50, 75, 90 or 100 percent: once for each subject and window. Whoever delivers warnings listens
    to `NOTIFY turnlog_budget` (the payload is the id) and reads the rows whose `delivered_at` is empty."""

    at = models.DateTimeField(auto_now_add=True)
    budget = models.CharField(max_length=64)
    scope = models.CharField(max_length=12, choices=choices(Scope))
    subject = models.TextField(blank=True)
    period = models.CharField(max_length=8, choices=choices(Period))
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    threshold = models.PositiveSmallIntegerField(help_text="percent")
    unit = models.CharField(max_length=12, choices=[(Measure.USD.value, "USD"), (Measure.TOKENS.value, "tokens")])
    used = models.FloatField()
    amount = models.FloatField(help_text="what the budget allows")
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "subject", "window_start", "threshold", "unit"], name="budget_event_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.budget} {self.subject}: {self.threshold} %"
