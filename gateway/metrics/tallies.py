"""Counts that outlive processes: collected in memory, added to the table `gateway_metrictally` in one statement."""

from __future__ import annotations

import bisect
import json
import zlib
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from django.db import connection

from gateway.metrics.families import HISTOGRAMS

SHARDS = 8
ADD = """
INSERT INTO gateway_metrictally AS kept (metric, labels, shard, value, buckets)
SELECT metric, labels, %(shard)s, value, buckets::bigint[]
FROM unnest(%(metrics)s::text[], %(labels)s::text[], %(values)s::float8[], %(buckets)s::text[])
    AS fresh (metric, labels, value, buckets)
ORDER BY metric, labels
ON CONFLICT (metric, labels, shard) DO UPDATE SET
    value = kept.value + EXCLUDED.value,
    buckets = CASE WHEN EXCLUDED.buckets = '{}' THEN kept.buckets ELSE (
        SELECT array_agg(coalesce(was, 0) + coalesce(more, 0) ORDER BY place)
        FROM unnest(kept.buckets, EXCLUDED.buckets) WITH ORDINALITY AS both_of (was, more, place)
    ) END
"""
READ = "SELECT metric, labels, value, buckets FROM gateway_metrictally"

Key = tuple[str, tuple[str, ...]]


class Tally:
    """One counter or histogram, or what is to be added to it."""

    __slots__ = ("buckets", "value")

    def __init__(self, value: float = 0.0, buckets: Sequence[int] = ()) -> None:
        self.value = value
        self.buckets = list(buckets)
        """How many in each bucket, the last those above all bounds; empty: a counter."""

    def add(self, more: Tally) -> None:
        self.value += more.value
        if len(self.buckets) < len(more.buckets):
            self.buckets += [0] * (len(more.buckets) - len(self.buckets))
        for place, count in enumerate(more.buckets):
            self.buckets[place] += count


class Tallies:
    """By metric, without `turnlog_`, and values of its labels. Not for several threads."""

    def __init__(self) -> None:
        self.all: dict[Key, Tally] = {}

    def add(self, metric: str, labels: tuple[str, ...], amount: float = 1.0) -> None:
        found = self.all.get((metric, labels))
        if found is None:
            self.all[metric, labels] = Tally(amount)
        else:
            found.value += amount

    def observe(self, metric: str, labels: tuple[str, ...], value: float) -> None:
        bounds = HISTOGRAMS[metric].bounds
        found = self.all.get((metric, labels))
        if found is None:
            found = self.all[metric, labels] = Tally(0.0, [0] * (len(bounds) + 1))
        found.value += value
        found.buckets[bisect.bisect_left(bounds, value)] += 1

    def merge(self, more: Mapping[Key, Tally]) -> None:
        for key, tally in more.items():
            self.all.setdefault(key, Tally()).add(tally)

    def write(self, execute: Any, shard: int) -> None:
        """In the caller's transaction, by a cursor's or a connection's `execute`. Raises its errors."""
        if not self.all:
            return
        keys = list(self.all)
        values = {
            "shard": shard,
            "metrics": [metric for metric, _ in keys],
            "labels": [json.dumps(labels) for _, labels in keys],
            "values": [float(self.all[key].value) for key in keys],
            "buckets": [array_text(self.all[key].buckets) for key in keys],
        }
        execute(ADD, values)


def array_text(counts: Sequence[int]) -> str:
    """As PostgreSQL reads an array."""
    return "{" + ",".join(map(str, counts)) + "}"


class LiveTallies:
    """What a `web` process counts by itself: any thread adds, one thread writes. What was counted and not yet written
    when the process is killed, a second's worth, is lost."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._fresh = Tallies()
        self._unwritten = Tallies()

    def add(self, metric: str, *labels: str) -> None:
        with self._lock:
            self._fresh.add(metric, labels)

    def observe(self, metric: str, value: float, *labels: str) -> None:
        with self._lock:
            self._fresh.observe(metric, labels, value)

    def write(self, host: str) -> None:
        """In the transaction of Django's connection; `written` follows when that is committed."""
        with self._lock:
            fresh, self._fresh = self._fresh, Tallies()
        self._unwritten.merge(fresh.all)
        with connection.cursor() as cursor:
            self._unwritten.write(cursor.execute, shard_of(host))

    def written(self) -> None:
        self._unwritten = Tallies()


def shard_of(host: str) -> int:
    return zlib.crc32(host.encode()) % SHARDS


def read_tallies(execute: Any) -> Tallies:
    """The sums over all shards, as they are now. `execute` is a psycopg connection's."""
    found = Tallies()
    for metric, labels, value, buckets in execute(READ):
        found.merge({(metric, tuple(json.loads(labels))): Tally(value, buckets)})
    return found
