"""Circuit breakers as people see and hold them. What they count lives in the processes."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from gateway.models.providers import Provider
from gateway.policy.breaker import BreakerState


class BreakerHold(models.Model):
    """A breaker held open or closed by a person until this row goes."""

    class State(models.TextChoices):
        OPEN = "open", "open: no request goes there"
        CLOSED = "closed", "closed: failures do not open it"

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="breaker_holds")
    model = models.CharField(max_length=200, blank=True, help_text="Empty: for every model")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    reason = models.CharField(max_length=300)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("provider__name", "model")
        constraints = [models.UniqueConstraint(fields=["provider", "model"], name="breaker_held_once")]

    def __str__(self) -> str:
        return f"{self.provider.name} {self.model}".strip() + f" held {self.state}: {self.reason}"


class BreakerTransition(models.Model):
    """A breaker of some process went from one state to another. Written once, never changed."""

    at = models.DateTimeField()
    process = models.CharField(max_length=100, help_text="host and process id")
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    before = models.CharField(max_length=16, choices=[(state.value, state.value) for state in BreakerState])
    after = models.CharField(max_length=16, choices=[(state.value, state.value) for state in BreakerState])
    reason = models.TextField()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.provider} {self.model}: {self.before} → {self.after}"


class FleetState(models.Model):
    """What one running process knows of its providers, told every few seconds when it has changed."""

    process = models.CharField(max_length=100, primary_key=True)
    told_at = models.DateTimeField()
    state = models.JSONField(help_text="lists breakers, credentials, queues")

    def __str__(self) -> str:
        return self.process
