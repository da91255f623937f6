"""The way of one request as bars on a strip of time: waiting here, each try of a provider, the answer's stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboard.queries.timeline import WIDTH, Timeline
from gateway.history.time_spent import TimeSpent

NARROWEST: Final = 3.0
"""Of a bar, so that it is seen."""


@dataclass(frozen=True, slots=True)
class Span:
    """`kind`: queued, connecting, waiting, failed or streaming. Places on a strip of `WIDTH`; times in milliseconds
    since the admission."""

    kind: str
    title: str
    at_ms: float
    length_ms: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the waterfall."""

    title: str
    note: str
    spans: Sequence[Span]
    length_ms: float | None


def draw_waterfall(
    attempts: Sequence[Mapping[str, Any]], spent: TimeSpent, timeline: Timeline | None, duration_ms: float | None
) -> list[Row]:
    """Empty when nothing is known of the times."""
    total = max([duration_ms or 0.0, timeline.total_ms if timeline else 0.0, *(a.get("at_ms", 0.0) for a in attempts)])
    if total <= 0:
        return []
    strip = Strip(WIDTH / total)
    rows = []
    if spent.queued_ms is not None:
        rows.append(
            Row("Turnlog", "deciding, waiting for a place", [strip.span("queued", 0, spent.queued_ms)], spent.queued_ms)
        )
    first = timeline.rows[0].at_ms if timeline else None
    for number, attempt in enumerate(attempts, 1):
        following = attempts[number].get("at_ms") if number < len(attempts) else None
        rows.append(attempt_row(strip, attempt, following, first if following is None else None, total))
    if timeline and first is not None:
        length = timeline.rows[-1].at_ms - first
        rows.append(Row("Stream", f"{timeline.count:,} chunks", [strip.span("streaming", first, length)], length))
    return rows


def attempt_row(
    strip: Strip, attempt: Mapping[str, Any], following: float | None, first: float | None, total: float
) -> Row:
    """Until it was connected, then until its first byte; a failed one until it was given up."""
    at = attempt.get("at_ms") or 0.0
    connected, headers = attempt.get("connected_ms"), attempt.get("headers_ms")
    end = next(
        (time for time in (first, headers if following is not None else None, following) if time is not None), total
    )
    failed = bool(attempt.get("error")) or following is not None
    spans = []
    if connected is not None:
        spans.append(strip.span("connecting", at, connected - at))
    start = at if connected is None else connected
    spans.append(strip.span("failed" if failed else "waiting", start, end - start))
    status = attempt.get("status")
    note = " · ".join(str(part) for part in (status, attempt.get("error")) if part)
    return Row(str(attempt.get("provider") or "provider"), note, spans, max(0.0, end - at))


@dataclass(frozen=True, slots=True)
class Strip:
    scale: float

    def span(self, kind: str, at_ms: float, length_ms: float) -> Span:
        length = max(0.0, length_ms)
        width = max(NARROWEST, length * self.scale)
        x = min(at_ms * self.scale, WIDTH - NARROWEST)
        return Span(kind, kind, at_ms, length, x, min(width, WIDTH - x))
