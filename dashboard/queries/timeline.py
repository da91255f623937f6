"""When the pieces of an answer arrived, as shapes on a strip: bars of bytes, and the stalls between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 1000
HEIGHT = 64
SLOTS = 250
STALL_MS = 2_000.0
ROWS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """One chunk: `at_ms` since the request was admitted, `gap_ms` since the chunk before it."""

    index: int
    at_ms: float
    gap_ms: float
    size: int
    after_stall: bool


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Stall:
    x: float
    width: float
    from_ms: float
    length_ms: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """`waiting` is the width of the strip before the first chunk; `rows` is what a table shows of `count` chunks."""

    bars: tuple[Bar, ...]
    stalls: tuple[Stall, ...]
    rows: tuple[Arrival, ...]
    count: int
    total_ms: float
    waiting: float
    growth: str
    """Points of a line: the part of the bytes that had come, over time."""
    longest_gap_ms: float

    @property
    def left_out(self) -> int:
        return self.count - len(self.rows)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Five times along the strip, in milliseconds."""
        return tuple(self.total_ms * quarter / 4 for quarter in range(5))


def draw_timeline(chunks: Sequence[tuple[float, int]], duration_ms: float | None) -> Timeline | None:
    """`chunks` are (milliseconds since admission, bytes) in their order; None when there are none."""
    if not chunks:
        return None
    arrivals = list_arrivals(chunks)
    total = max(duration_ms or 0.0, chunks[-1][0], 0.001)
    scale = WIDTH / total
    stalls = tuple(
        Stall((a.at_ms - a.gap_ms) * scale, a.gap_ms * scale, a.at_ms - a.gap_ms, a.gap_ms)
        for a in arrivals
        if a.after_stall
    )
    return Timeline(
        bars=draw_bars(chunks, scale),
        stalls=stalls,
        rows=choose_rows(arrivals),
        count=len(arrivals),
        total_ms=total,
        waiting=chunks[0][0] * scale,
        growth=draw_growth(chunks, scale),
        longest_gap_ms=max((a.gap_ms for a in arrivals[1:]), default=0.0),
    )


def list_arrivals(chunks: Sequence[tuple[float, int]]) -> list[Arrival]:
    arrivals = []
    before = chunks[0][0]
    for index, (at, size) in enumerate(chunks):
        gap = at - before
        arrivals.append(Arrival(index, at, gap, size, gap > STALL_MS))
        before = at
    return arrivals


def draw_bars(chunks: Sequence[tuple[float, int]], scale: float) -> tuple[Bar, ...]:
    """At most one bar for each slot of the strip; its height grows with the logarithm of its bytes."""
    slots: dict[int, tuple[int, int]] = {}
    for at, size in chunks:
        slot = min(int(at * scale * SLOTS / WIDTH), SLOTS - 1)
        count, total = slots.get(slot, (0, 0))
        slots[slot] = (count + 1, total + size)
    highest = math.log1p(max(total for _, total in slots.values())) or 1.0
    width = WIDTH / SLOTS
    bars = []
    for slot, (count, total) in slots.items():
        height = max(3.0, HEIGHT * math.log1p(total) / highest)
        title = f"{count:,} chunk{'s' if count > 1 else ''}, {total:,} bytes"
        bars.append(Bar(slot * width, HEIGHT - height, width * 0.8, height, title))
    return tuple(bars)


def draw_growth(chunks: Sequence[tuple[float, int]], scale: float) -> str:
    """At most one point for each slot of the strip."""
    whole = sum(size for _, size in chunks) or 1
    points: dict[int, tuple[float, float]] = {}
    come = 0
    for at, size in chunks:
        come += size
        points[min(int(at * scale * SLOTS / WIDTH), SLOTS - 1)] = (at * scale, HEIGHT * (1 - come / whole))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in [(chunks[0][0] * scale, float(HEIGHT)), *points.values()])


def choose_rows(arrivals: list[Arrival]) -> tuple[Arrival, ...]:
    """All of a short answer; of a long one the beginning, the end, and what came after a stall."""
    if len(arrivals) <= ROWS_SHOWN:
        return tuple(arrivals)
    edge = ROWS_SHOWN // 3
    late = [a for a in arrivals[edge:-edge] if a.after_stall][:edge]
    return (*arrivals[:edge], *late, *arrivals[-edge:])
