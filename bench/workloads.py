"""What is asked of every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bench import bodies

MESSAGE_BYTES = 2000
ABROAD = "abroad-"
"""How the names of models begin that lead to a provider of the other dialect."""
GAP_MICROSECONDS = 20_000


@dataclass(frozen=True)
class Workload:
    """`seconds`: how long is asked; `each`: how often each connection asks, 0: as often as it can. `gap` in
    microseconds between the events of a stream. `spread` in microseconds: the first requests go out evenly over it."""

    name: str
    title: str
    connections: int
    make_body: Callable[[], bytes]
    seconds: float
    each: int = 0
    events: int = 0
    gap: int = 0
    spread: int = 0
    recorded_only: bool = False
    """Asked of the recording Turnlog alone, and once."""

    @property
    def unit(self) -> str:
        return "events" if self.events else "requests"

    @property
    def ideal(self) -> float:
        """Events each second that a perfect relay passes on; 0.0 where there is no such bound."""
        return self.connections * 1e6 / self.gap if self.gap else 0.0


def workloads(*, quick: bool, seconds: float | None = None) -> list[Workload]:
    """`seconds` for each of the windows that are not paced; None: as long as it takes to be steady."""
    window = seconds or (0.5 if quick else 1.5)
    events = 50 if quick else 200
    return [
        *(json(count, window) for count in (1, 16, 64, 256)),
        *(large("300k", 300_000, count, window) for count in (1, 4, 16)),
        *(large("1400k", 1_400_000, count, window) for count in (1, 4)),
        *(burst(count, window) for count in (1, 16, 64)),
        translated(16, window),
        *(paced(count, events) for count in (1, 16, 64, 256)),
        many_streams(3.0 if quick else 15.0),
    ]


def json(connections: int, seconds: float) -> Workload:
    body = partial(bodies.small, "bench-json", stream=False)
    return Workload(f"json-{connections}", "small JSON", connections, body, seconds)


def large(name: str, size: int, connections: int, seconds: float) -> Workload:
    body = partial(bodies.conversation, "bench-json", size)
    return Workload(f"{name}-{connections}", f"request of {size // 1000} kB", connections, body, seconds)


def burst(connections: int, seconds: float) -> Workload:
    body = partial(bodies.small, "bench-stream-200-0", stream=True)
    return Workload(f"burst-{connections}", "200 events, unpaced", connections, body, seconds, events=200)


def translated(connections: int, seconds: float) -> Workload:
    """For Turnlog the model leads to the provider's Chat Completions; every other target passes Messages on."""
    body = partial(bodies.small, f"{ABROAD}bench-stream-200-0", stream=True)
    title = "200 events, unpaced, translated"
    return Workload(f"translated-{connections}", title, connections, body, seconds, events=200)


def paced(connections: int, events: int, gap: int = GAP_MICROSECONDS) -> Workload:
    body = partial(bodies.small, f"bench-stream-{events}-{gap}", stream=True)
    return Workload(
        f"paced-{connections}",
        f"{events} events, one each {gap // 1000} ms",
        connections,
        body,
        events * gap / 1e6,
        each=1,
        events=events,
        gap=gap,
        spread=gap,
    )


def many_streams(seconds: float, name: str = "streams-1000") -> Workload:
    """1 000 streams of five events a second each, for so long: what an office of developers at work looks like."""
    events = int(seconds * 5)
    calm = paced(1000, events, gap=200_000)
    return replace(calm, name=name, spread=1_000_000, recorded_only=True)
