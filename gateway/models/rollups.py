"""Sums of the history by hour and by day, so that no page has to read turns to show numbers.

They are computed by `gateway/history/rollups.py` from the turns themselves, a bucket at a time and always whole.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models


def tokens() -> models.BigIntegerField[Any, Any]:
    return models.BigIntegerField(null=True)


class RollupSums(models.Model):
    """Sums are over what is known and NULL when nothing is; the counts beside them say of how many turns. Replays and
    self-tests are not in here; what a judge of prompts was asked is, under the key `grading`."""

    provider = models.TextField()
    model = models.TextField(help_text="the model that answered, else the one asked for")
    team = models.TextField()
    status = models.TextField(help_text="the HTTP status, empty when none came")
    outcome = models.TextField()
    requests = models.BigIntegerField()
    errors = models.BigIntegerField(help_text="did not complete, or with a status of 400 or more")
    metered = models.BigIntegerField(help_text="with a usage the provider reported")
    unpriced = models.BigIntegerField(help_text="with a usage and no known cost")
    partial = models.BigIntegerField(help_text="with a cost that is a lower bound, because the answer broke off")
    input_tokens = tokens()
    output_tokens = tokens()
    cache_read_tokens = tokens()
    cache_write_tokens = tokens()
    cache_write_1h_tokens = tokens()
    thinking_tokens = tokens()
    web_searches = tokens()
    cost_usd = models.DecimalField(max_digits=24, decimal_places=9, null=True)
    request_bytes = models.BigIntegerField()
    response_bytes = models.BigIntegerField()
    streamed_tokens = models.BigIntegerField(null=True, help_text="output tokens of streams whose pace is known")
    streaming_ms = models.FloatField(null=True, help_text="what those streams took from first to last byte")
    duration_buckets = ArrayField(models.SmallIntegerField(), help_text="see gateway/history/latency.py")
    duration_counts = ArrayField(models.BigIntegerField())
    first_byte_buckets = ArrayField(models.SmallIntegerField())
    first_byte_counts = ArrayField(models.BigIntegerField())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.team} {self.status}"


class RollupRow(RollupSums):
    """One combination of what is told apart; it may have several rows, which add up."""

    access_key = models.TextField()
    client = models.TextField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.access_key} {self.team} {self.client} {self.status}"


class RollupHour(RollupRow):
    """An hour of UTC."""

    hour = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["hour"], name="rolluphour_hour")]


class RollupDay(RollupRow):
    """A day as the people of a zone count it: 23 or 25 hours when the clocks change."""

    zone = models.TextField(help_text="an IANA name")
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["zone", "day"], name="rollupday_zone_day")]


class OverallHour(RollupSums):
    """The rows of RollupHour added up over all keys and clients: few, so that a page may read a month of them. They are
    written by triggers on that table."""

    hour = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["hour"], name="overallhour_hour")]


class OverallDay(RollupSums):
    """The rows of RollupDay, likewise."""

    zone = models.TextField(help_text="an IANA name")
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["zone", "day"], name="overallday_zone_day")]


class RollupRemoved(RollupRow):
    """Turns that a term or an erasure removed from a month that stays: what they were in the sums, and go on being. By
    quarter of an hour, because days of every zone are made of those."""

    quarter = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["quarter"], name="rollupremoved_quarter")]


class RollupZone(models.Model):
    """A time zone days are summed up in."""

    name = models.TextField(unique=True, help_text="an IANA name, like Europe/Berlin")

    class Meta:
        verbose_name = "time zone of days"
        verbose_name_plural = "time zones of days"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RollupDue(models.Model):
    """An hour some of whose turns changed since it was summed up. Whoever changes turns adds one in the same
    transaction; several for one hour are as good as one."""

    hour = models.DateTimeField()
    marked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["hour"], name="rollupdue_hour")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00}"
