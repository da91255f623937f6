"""Readings of the requests that ended in a window: errors, latency, and what limits refused.

Requests are found by the time of their admission, which their ids carry, and a window is about when they ended: so a
quarter of an hour more is looked through, which holds all but the longest of them.
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from gateway.dialects.names import Outcome
from gateway.history.id_times import first_id_at
from gateway.history.latency import bucket_sql, percentile
from gateway.models import AlertRule
from gateway.policy.alerting import Metric, Reading
from gateway.policy.errands import COUNTED
from gateway.policy.limits import Measure

LONGEST_REQUEST = datetime.timedelta(minutes=15)
P95 = 0.95
LEFT = [Outcome.CLIENT_DISCONNECTED.value, Outcome.CLIENT_STALLED.value]
ENDED = """
FROM gateway_requestlog r JOIN gateway_responselog s ON s.id = r.id
WHERE r.id >= %(first)s AND s.id >= %(first)s AND r.purpose = ANY(%(purposes)s)
  AND r.started_at + coalesce(s.duration_ms, 0) * interval '1 millisecond' >= %(since)s
"""
GROUP = "r.provider, coalesce(r.model, r.routed_model, r.requested_model, ''), r.team"
ERRORS = f"""
SELECT {GROUP}, count(*), count(*) FILTER (WHERE r.outcome <> 'completed' OR r.status_code >= 400)
{ENDED} AND r.outcome <> ALL(%(left)s) GROUP BY 1, 2, 3
"""
LATENCIES = f"""
SELECT {GROUP}, {{bucket}}, count(*)
{ENDED} AND r.outcome = 'completed' AND r.status_code < 400 AND s.{{column}} IS NOT NULL GROUP BY 1, 2, 3, 4
"""
REFUSED = f"""
SELECT left(s.error_message, 200), r.team, count(*)
{ENDED} AND r.outcome = 'denied' AND r.status_code = 429 GROUP BY 1, 2 LIMIT 2000
"""
LIMIT = re.compile(rf"The limit (?P<name>\S+) allows \S+ (?P<measure>{'|'.join(map(re.escape, Measure))})")
COLUMNS = {Metric.DURATION_P95: "duration_ms", Metric.FIRST_BYTE_P95: "first_byte_ms"}
Group = tuple[str, str, str]
"""Provider, model and team; empty where they are not told apart."""


class Requests:
    """Of one look: what two rules ask alike is read once."""

    def __init__(self, now: datetime.datetime) -> None:
        self._now = now
        self._read: dict[tuple[str, int], list[tuple[Any, ...]]] = {}

    def errors(self, rule: AlertRule) -> Iterator[Reading]:
        """In percent of the requests; with fewer than the rule's minimum there is none."""
        counts: dict[Group, list[int]] = defaultdict(lambda: [0, 0])
        for *group, requests, errors in self._rows(ERRORS, rule):
            if (key := key_of(rule, group)) is not None:
                counts[key][0] += requests
                counts[key][1] += errors
        for key, (requests, errors) in counts.items():
            if requests >= max(1, rule.minimum):
                yield reading(rule, key, 100 * errors / requests, "/d/errors/")

    def latency(self, rule: AlertRule) -> Iterator[Reading]:
        """In milliseconds."""
        column = COLUMNS[Metric(rule.metric)]
        counts: dict[Group, dict[int, int]] = defaultdict(dict)
        for *group, bucket, number in self._rows(
            LATENCIES.format(bucket=bucket_sql(f"s.{column}"), column=column), rule
        ):
            if (key := key_of(rule, group)) is not None:
                counts[key][bucket] = counts[key].get(bucket, 0) + number
        for key, buckets in counts.items():
            value = percentile(buckets, P95) if sum(buckets.values()) >= rule.minimum else None
            if value is not None:
                yield reading(rule, key, value, "/d/models/")

    def refusals(self, rule: AlertRule) -> Iterator[Reading]:
        """For each limit that refused something."""
        counts: dict[str, int] = defaultdict(int)
        for message, team, number in self._rows(REFUSED, rule):
            found = LIMIT.match(message or "")
            if found is None or not Reading("", 0, team=team).is_within([], [], rule.teams):
                continue
            if rule.metric == Metric.LIMIT_REFUSALS or found["measure"] == Measure.AT_ONCE:
                counts[found["name"]] += number
        query = urlencode({"q": "outcome:denied status:429", "range": "1h"})
        for name, number in counts.items():
            yield Reading(name, number, link=f"/d/requests/?{query}")

    def _rows(self, statement: str, rule: AlertRule) -> list[tuple[Any, ...]]:
        found = self._read.get((statement, rule.window))
        if found is None:
            since = self._now - datetime.timedelta(seconds=rule.window)
            first = first_id_at(since - LONGEST_REQUEST)
            values: dict[str, Any] = {"first": first, "since": since, "purposes": list(COUNTED), "left": LEFT}
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                found = self._read[statement, rule.window] = cursor.fetchall()
        return found


def key_of(rule: AlertRule, group: list[str]) -> Group | None:
    """What a row counts for; None: the rule is not about it."""
    provider, model, team = group
    if not Reading("", 0, provider, model, team).is_within(rule.providers, rule.models, rule.teams):
        return None
    return (
        provider if rule.per == AlertRule.Per.PROVIDER else "",
        model if rule.per == AlertRule.Per.MODEL else "",
        team if rule.per == AlertRule.Per.TEAM else "",
    )


def reading(rule: AlertRule, key: Group, value: float, page: str) -> Reading:
    provider, model, team = key
    narrowed = {"range": "15m" if rule.window <= 900 else "1h", "provider": provider, "model": model, "team": team}
    query = urlencode({name: text for name, text in narrowed.items() if text})
    subject = provider or model or team or (f"no {rule.per}" if rule.per else "")
    only_team = rule.teams[0] if len(rule.teams) == 1 and not rule.per else ""
    return Reading(subject, value, provider, model, team or only_team, f"{page}?{query}")
