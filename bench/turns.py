"""What the turns of `bench.alternating` say: how much more the second state costs than the first."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.children import announced_port, started
from bench.load import LoadFailed
from bench.session import DRAIN_PATIENCE, Session
from bench.targets import PATH, Target
from bench.usage import cores
from bench.workloads import json

CONNECTIONS = 16
IN_FORCE_SECONDS = 60.0
BLOCK = 4
"""Turns that are compared with each other: first, second, second, first."""


class Turn(NamedTuple):
    """What was spent and done while a state, 0 or 1, was in force."""

    state: int
    cpu_ns: int
    requests: int
    events: int


class Comparison(NamedTuple):
    """`ratios` of each block; `costs` of each state in microseconds for each request or event: medians."""

    ratios: list[float]
    costs: tuple[float, float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def told(self) -> str:
        low, high = self.spread
        first, second = self.costs
        return f"{first:.0f} and {second:.0f} µs; half of {len(self.ratios)} ratios between {low:.3f} and {high:.3f}"

    @property
    def spread(self) -> tuple[float, float]:
        """Half of the blocks lie between these."""
        low, _, high = statistics.quantiles(self.ratios, n=4)
        return low, high


@contextmanager
def alternating(session: Session, kind: str, *documents: Path) -> Iterator[tuple[Target, Path]]:
    """A `web` that takes turns with itself, beside the session's own, and where it writes them down."""
    assert session.store is not None
    directory, (_, core, _) = session.generator.directory, cores()
    log, results = directory / "alternating.log", directory / "turns"
    results.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.alternating", str(results), kind, *map(str, documents), "--port", "0"]
    environment = session.store.environment(TURNLOG_ANTHROPIC_URL=session.provider)
    with started(command, log, core=core, environment=environment) as process:
        yield Target("alternating", "127.0.0.1", announced_port(process, log), PATH, process.pid), results


def in_turn(
    session: Session, documents: Mapping[str, str], is_second: Callable[[Target], bool], seconds: float
) -> Comparison:
    """What a small request costs with each of two configurations; `is_second` sees by an answer which is in force."""
    assert session.store is not None
    paths = []
    for name, text in documents.items():
        paths.append(session.store.data_dir / f"{name}.yaml")
        paths[-1].write_text(text)
    with alternating(session, "configurations", *paths) as (target, results):
        for wanted in (False, True):
            wait_for(lambda wanted=wanted: is_second(target) is wanted)  # type: ignore[misc]
        began = len(read_turns(results))
        sample = session.generator.run(target, json(CONNECTIONS, seconds))
        if sample.errors:
            raise LoadFailed(f"{sample.errors} errors: {sample.complaint}")
        return compare_turns(read_turns(results)[began + -began % BLOCK :])


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise LoadFailed("a configuration did not come into force")
        time.sleep(0.02)


def settle(session: Session) -> None:
    """Let the loader catch up: it takes nothing from the next sample then."""
    assert session.store is not None
    deadline = time.monotonic() + DRAIN_PATIENCE
    while session.store.status()["spooled"]:
        if time.monotonic() > deadline:
            raise LoadFailed("the loader did not catch up")


def read_turns(results: Path) -> list[Turn]:
    lines = results.read_text().splitlines() if results.exists() else []
    return [Turn(*map(int, line.split())) for line in lines]


def compare_turns(turns: Sequence[Turn], *, by_event: bool = False) -> Comparison:
    """Blocks in which one turn did less than half of what the most busy one did are left out: the load began or ended,
    or others had the core. Raises ValueError when fewer than two are left."""
    done = [turn.events if by_event else turn.requests for turn in turns]
    costs: list[tuple[float, float]] = []
    for start in range(0, len(turns) - BLOCK + 1, BLOCK):
        block, amounts = turns[start : start + BLOCK], done[start : start + BLOCK]
        if min(amounts) and 2 * min(amounts) >= max(amounts):
            costs.append((cost(block, amounts, 0), cost(block, amounts, 1)))
    if len(costs) < 2:
        raise ValueError(f"{len(turns)} turns are too few to compare")
    medians = (statistics.median(first for first, _ in costs), statistics.median(second for _, second in costs))
    return Comparison([second / first for first, second in costs], medians)


def cost(block: Sequence[Turn], amounts: Sequence[int], state: int) -> float:
    """Microseconds."""
    own = [(turn.cpu_ns, amount) for turn, amount in zip(block, amounts, strict=True) if turn.state == state]
    return sum(cpu for cpu, _ in own) / sum(amount for _, amount in own) / 1000
