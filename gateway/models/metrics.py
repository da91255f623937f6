"""What `/metrics` is made of: what each running process says of itself, and counts that outlive processes."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class ProcessGauges(models.Model):
    """What one running process knows of itself, told every second. One that has not told for a while is gone. The
    table is UNLOGGED: empty after a crash of the database, and full again a second later."""

    process = models.CharField(max_length=120, primary_key=True, help_text="role, host and process id")
    role = models.CharField(max_length=16, help_text="web or loader")
    host = models.CharField(max_length=64)
    began_at = models.DateTimeField()
    told_at = models.DateTimeField(help_text="by the database's clock")
    gauges = models.JSONField(help_text="lists of name, value and labels; see gateway/metrics/gauges.py")

    class Meta:
        verbose_name_plural = "process gauges"

    def __str__(self) -> str:
        return self.process


class MetricTally(models.Model):
    """One counter or histogram for one set of labels. It only ever grows, in the transaction that stores what it
    counts, so nothing is counted twice. Whoever reads sums up over `shard`, which keeps loaders out of each other's
    way."""

    pk = models.CompositePrimaryKey("metric", "labels", "shard")
    metric = models.TextField()
    labels = models.TextField(help_text="values as a JSON array, in the order of the metric's labels")
    shard = models.SmallIntegerField()
    value = models.FloatField(help_text="of a histogram the sum of what was observed")
    buckets = ArrayField(models.BigIntegerField(), default=list, help_text="how many in each bucket, not cumulated")

    def __str__(self) -> str:
        return f"{self.metric}{self.labels}"
