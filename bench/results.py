"""All samples of a run, and what is asked of them: medians over rounds, ratios and differences within one round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from bench.load import Sample
from bench.store import Drain
from bench.targets import DIRECT
from bench.workloads import Workload


@dataclass
class Results:
    """`samples[workload's name, target's name]` has one entry for each round."""

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    drains: list[Drain] = field(default_factory=list)
    loader: dict[str, Drain] = field(default_factory=dict)
    """How a backlog of a workload's turns was worked off with nothing else going on."""
    workloads: dict[str, Workload] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    sent: int = 0
    """Requests given to the Turnlog that records."""
    status: dict[str, Any] | None = None
    """What `manage.py status` said at the end."""
    final_rss: float | None = None
    """MiB of the recording `web`, after everything."""

    def add(self, workload: Workload, target: str, sample: Sample) -> None:
        self.workloads[workload.name] = workload
        if target not in self.targets:
            self.targets.append(target)
        self.samples.setdefault((workload.name, target), []).append(sample)

    def of(self, workload: str, target: str) -> list[Sample]:
        return self.samples.get((workload, target), [])

    def median(self, workload: str, target: str, figure: str) -> float | None:
        """The median of one field of the samples; None where it was not measured."""
        return median([getattr(sample, figure) for sample in self.of(workload, target)])

    def ratio(self, workload: str, target: str, base: str, figure: str = "rate") -> float | None:
        """The median over rounds of target by base, both of the same round."""
        ratios = []
        for one, other in zip(self.of(workload, target), self.of(workload, base), strict=False):
            above, below = getattr(one, figure), getattr(other, figure)
            ratios.append(above / below if above is not None and below else None)
        return median(ratios)

    def added(self, workload: str, target: str, figure: str) -> float | None:
        """The median over rounds of what the target adds to the way without it."""
        pairs = zip(self.of(workload, target), self.of(workload, DIRECT), strict=False)
        return median([getattr(one, figure) - getattr(other, figure) for one, other in pairs])

    def of_ideal(self, workload: str, target: str) -> float | None:
        rate = self.median(workload, target, "rate")
        ideal = self.workloads[workload].ideal if workload in self.workloads else 0.0
        return rate / ideal if rate is not None and ideal else None

    def errors(self, target: str) -> int:
        """Answers that were wrong, cut or missing, in all workloads."""
        return sum(sample.errors for (_, name), found in self.samples.items() if name == target for sample in found)


def median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
