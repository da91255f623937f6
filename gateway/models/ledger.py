"""What the loader has done with the spool: the numbers of the reconciliation line, and what it could not load."""

from __future__ import annotations

from django.db import models


class SpoolSegment(models.Model):
    """One spool segment the loader has touched. Retired: everything in it is stored and its files may go."""

    series = models.TextField(help_text="the web process's series, a directory of the spool")
    number = models.IntegerField()
    accepted = models.BigIntegerField(default=0, help_text="admission stubs; final once retired")
    stored = models.BigIntegerField(default=0, help_text="of those, with a row in the history")
    dead = models.BigIntegerField(default=0, help_text="of those, handed to the dead letters")
    retired = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "number"], name="spool_segment_once")]

    def __str__(self) -> str:
        return f"{self.series}/{self.number}"


class SpoolTotal(models.Model):
    """The sums of the segments that are retired and gone, a row for each host's spool."""

    host = models.TextField(unique=True)
    accepted = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    dropped = models.JSONField(default=dict, help_text="count by reason, of processes that are gone")

    def __str__(self) -> str:
        return self.host


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
