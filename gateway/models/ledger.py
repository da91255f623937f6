"""What the loader has done with the spool: the numbers of the reconciliation line, and what it could not load."""

from __future__ import annotations

from django.db import models


class SpoolSegment(models.Model):
    """One spool segment the loader has touched. Retired: all of it is stored or dead, and its files may go."""

    host = models.TextField(help_text="the spool it lies in")
    series = models.TextField(help_text="the web process's series, a directory of the spool")
    number = models.IntegerField()
    accepted = models.BigIntegerField(default=0, help_text="admission stubs; counted from the files until retired")
    stored = models.BigIntegerField(default=0, help_text="of those, with a row in the history")
    dead = models.BigIntegerField(default=0, help_text="of those, handed to the dead letters")
    retired = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "number"], name="spool_segment_once")]

    def __str__(self) -> str:
        return f"{self.series}/{self.number}"


class SpoolTotal(models.Model):
    """The sums of one series' segments that are retired and gone, and what its process counted beside them."""

    host = models.TextField(help_text="the spool it lay in")
    series = models.TextField(unique=True)
    accepted = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    dead = models.BigIntegerField(default=0)
    dropped = models.JSONField(default=dict, help_text="served without a record, by reason; final once gone")
    telemetry = models.JSONField(
        default=dict, help_text="requests to the telemetry endpoints, by kind; final once gone"
    )
    gone = models.BooleanField(default=False, help_text="its process is dead and its directory removed")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.series


class DeadLetter(models.Model):
    """An exchange the loader could not store, with its spool frames, so that it can be replayed."""

    class State(models.TextChoices):
        WAITING = "waiting"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    exchange_id = models.UUIDField(unique=True)
    reason = models.TextField()
    detail = models.TextField(blank=True)
    attempts = models.IntegerField(default=0)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    frames = models.BinaryField(help_text="the exchange's spool frames, one after the other")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.exchange_id}: {self.reason}"
