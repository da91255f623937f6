"""What a chart is made of. The page has it as a table; `charts.js` draws the table (`parts/chart.html`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

Number = float | int | None


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each time of the chart; None where nothing is known. `tone` names a colour of `tokens.css`:
    `1` to `8`, `good`, `warn`, `bad`, `quiet`; empty: by its place. `dashed` is for what is only reckoned."""

    name: str
    values: Sequence[Number]
    tone: str = ""
    dashed: bool = False


class ChartRow(NamedTuple):
    time: datetime
    link: str
    values: list[Number]


@dataclass(frozen=True, slots=True)
class Chart:
    """`kind`: `stack` (bars on each other), `bars`, `lines` or `area`. `unit`: `count`, `usd`, `ms`, `tokens`, `bytes`,
    `percent`. `links`: where a click on a time leads, one for each time. `marks`: times with a word about them."""

    title: str
    times: Sequence[datetime]
    series: Sequence[Series]
    unit: str = "count"
    kind: str = "stack"
    links: Sequence[str] = ()
    marks: Sequence[tuple[datetime, str]] = field(default=())

    @property
    def rows(self) -> list[ChartRow]:
        links = self.links or [""] * len(self.times)
        columns = [series.values for series in self.series]
        return [
            ChartRow(time, link, [column[at] for column in columns])
            for at, (time, link) in enumerate(zip(self.times, links, strict=True))
        ]

    @property
    def empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)


def spark_points(values: Sequence[Number], width: float = 100, height: float = 24) -> list[str]:
    """Points of polylines, `x,y x,y`, one for each stretch without a gap; zero is the bottom line."""
    if len(values) < 2:
        return []
    highest = max((float(value) for value in values if value is not None), default=0.0) or 1.0
    step = width / (len(values) - 1)
    lines: list[list[str]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{at * step:.1f},{height - 1 - (height - 2) * float(value) / highest:.1f}")
    return [" ".join(line) for line in lines if len(line) > 1]
