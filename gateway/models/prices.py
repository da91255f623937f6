"""What models cost, with the time each price holds: shipped from the providers' pages, then ops' own."""

from __future__ import annotations

from typing import Any

from django.db import models

from gateway.pricing.price import Tier


def rate(text: str) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True, help_text=text)


class ModelPrice(models.Model):
    """USD for a million tokens. An empty rate is unknown, and so is then the cost of what is counted of it."""

    model = models.TextField(help_text="as the answer names it, without the date of its snapshot")
    provider = models.TextField(blank=True, help_text="only when this provider of the gateway answered; empty: any")
    tier = models.TextField(choices=[(tier.value, tier.value) for tier in Tier], default=Tier.STANDARD.value)
    prompt_above = models.BigIntegerField(
        default=0, help_text="for prompts of more tokens than this, cache included; 0: of any length"
    )
    valid_from = models.DateTimeField(help_text="for requests that began at this time or later (UTC)")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="and before this time; empty: still")
    input = rate("prompt tokens neither read from a cache nor written to one")
    output = rate("output tokens, thinking included")
    cache_read = rate("tokens read from the cache")
    cache_write = rate("tokens written to the cache for its ordinary lifetime (Anthropic: 5 minutes)")
    cache_write_1h = rate("tokens written to the cache for an hour")
    web_search = rate("a thousand web searches")
    us_factor = models.DecimalField(
        max_digits=6, decimal_places=3, default=1, help_text="token rates times this when inference was kept in the US"
    )
    source = models.TextField(blank=True, help_text="the page or contract this was read from")
    read_on = models.DateField(null=True, blank=True, help_text="the day it was read there")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "price"
        ordering = ("model", "tier", "prompt_above", "-valid_from")
        constraints = [
            models.UniqueConstraint(
                fields=["model", "provider", "tier", "prompt_above", "valid_from"], name="model_price_once"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_until=None) | models.Q(valid_until__gt=models.F("valid_from")),
                name="model_price_ends_after_it_began",
            ),
        ]

    def __str__(self) -> str:
        longer = f" above {self.prompt_above:,} tokens" if self.prompt_above else ""
        return f"{self.model} {self.tier}{longer} from {self.valid_from:%Y-%m-%d}"


class InstalledListPrice(models.Model):
    """A shipped price that was put into the table once: it is not put there again when ops delete or change it."""

    key = models.TextField(primary_key=True)
    installed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key


class CostRun(models.Model):
    """Costs to be computed again by the prices of now: asked for in the admin, done by the worker, and its result."""

    since = models.DateTimeField(null=True, blank=True, help_text="requests that began at this time or later (UTC)")
    until = models.DateTimeField(null=True, blank=True, help_text="and before this time")
    model = models.TextField(blank=True, help_text="only answers of this model; empty: all")
    asked_by = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)
    turns = models.BigIntegerField(default=0, editable=False, help_text="looked at")
    changed = models.BigIntegerField(default=0, editable=False, help_text="of those, with another cost than before")

    class Meta:
        verbose_name = "recomputation of costs"
        verbose_name_plural = "recomputations of costs"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.model or 'all models'} from {self.since or 'the beginning'} to {self.until or 'now'}"
