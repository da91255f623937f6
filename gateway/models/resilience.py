"""What of a provider decides when it is not answered in time, or not at all: abstract, columns of `Provider`."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from gateway.models.validators import check_failures
from gateway.policy.breaker import BreakerMode
from gateway.policy.retries import Backoff
from gateway.policy.waiting import WhenFull

PERCENT = [MinValueValidator(1), MaxValueValidator(100)]
ABOVE_ZERO = [MinValueValidator(0.01)]


class BreakerSettings(models.Model):
    """See `policy/breaker.py`."""

    breaker_mode = models.CharField(
        max_length=8,
        choices=[(mode.value, mode.value) for mode in BreakerMode],
        default=BreakerMode.AUTO.value,
        help_text="auto: enforce where a request has another target, else observe. Observe: count, never refuse.",
    )
    breaker_failures = models.PositiveIntegerField(
        default=5, validators=[MinValueValidator(1)], help_text="Failures in a row that open it"
    )
    breaker_open_seconds = models.FloatField(default=30.0, validators=ABOVE_ZERO, help_text="Until a probe is let out")
    breaker_successes = models.PositiveIntegerField(
        default=2, validators=[MinValueValidator(1)], help_text="Good probes that close it"
    )
    breaker_error_percent = models.PositiveIntegerField(
        default=50, validators=PERCENT, help_text="Share of failures within the window that opens it"
    )
    breaker_window = models.FloatField(default=60.0, validators=ABOVE_ZERO, help_text="Seconds")
    breaker_volume = models.PositiveIntegerField(
        default=20, validators=[MinValueValidator(1)], help_text="Requests in the window below which no share counts"
    )

    class Meta:
        abstract = True


class RetrySettings(models.Model):
    """See `policy/retries.py`."""

    retry_attempts = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text="Tries altogether. The clients already retry 10 to 30 times, and both multiply.",
    )
    retry_on = models.JSONField(
        default=list,
        blank=True,
        validators=[check_failures],
        help_text="Statuses such as 503, and connect, timeout, broken; empty: connect alone",
    )
    retry_deadline = models.FloatField(
        default=30.0, validators=ABOVE_ZERO, help_text="Seconds after which no retry begins"
    )
    retry_backoff = models.CharField(
        max_length=16, choices=[(name.value, name.value) for name in Backoff], default=Backoff.DECORRELATED.value
    )
    retry_base = models.FloatField(default=0.5, validators=ABOVE_ZERO, help_text="Seconds of the first pause")
    retry_longest = models.FloatField(default=10.0, validators=ABOVE_ZERO, help_text="Seconds of the longest pause")
    retry_budget_percent = models.PositiveIntegerField(
        default=10, validators=PERCENT, help_text="Retries for each hundred requests"
    )

    class Meta:
        abstract = True


class QueueSettings(models.Model):
    """See `policy/waiting.py`."""

    max_in_flight = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Requests at once; empty: no bound"
    )
    queue_size = models.PositiveIntegerField(default=100, help_text="How many may wait for a place")
    queue_longest_wait = models.FloatField(default=30.0, validators=ABOVE_ZERO, help_text="Seconds")
    queue_when_full = models.CharField(
        max_length=8,
        choices=[(choice.value, choice.value) for choice in WhenFull],
        default=WhenFull.REJECT.value,
        help_text="Reject: refuse when the queue is full. Spill: take the route's next target. Wait: in any case.",
    )
    queue_long_bytes = models.PositiveIntegerField(
        default=1024 * 1024, help_text="Larger requests leave a quarter of the places to smaller ones"
    )

    class Meta:
        abstract = True
