"""The same request asked directly and through the gateway, compared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median

from gateway.selftest.scenarios import Scenario

Pairs = Sequence[tuple[bytes, bytes]]

ADDED_MS = 10.0
"""What the gateway may add to the way of a piece, in the median, before it counts as a difference."""
WORST_MS = 150.0
NOT_THE_PROVIDERS = frozenset({b"connection", b"transfer-encoding", b"date", b"server", b"content-length"})
"""Of an answer: headers that belong to one connection, or to who wrote on it."""
OURS = frozenset({b"x-turnlog-request-id"})
NOT_THE_CLIENTS = frozenset({b"host", b"connection", b"accept-encoding", b"x-turnlog-key"})
"""Of a request: what names the next hop, and what is for us alone."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One exchange from both ends. `arrivals` are (monotonic seconds, bytes) as the client read them, `sent` when the
    provider wrote each piece."""

    status: int
    headers: Pairs
    arrivals: Sequence[tuple[float, bytes]]
    asked_target: bytes
    asked_headers: Pairs
    asked_body: bytes
    sent: Sequence[float]

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.arrivals)


@dataclass(frozen=True, slots=True)
class Result:
    """Differences in words, by what they are about; `added_ms` is what the way through the gateway took longer."""

    name: str
    differences: dict[str, list[str]] = field(default_factory=dict)
    added_ms: float | None = None
    worst_ms: float | None = None
    pings: int = 0

    @property
    def is_same(self) -> bool:
        return not any(self.differences.values())


def compare(scenario: Scenario, direct: Seen, through: Seen) -> Result:
    ways = travelled(scenario, direct), travelled(scenario, through)
    added = worst = None
    if all(ways):
        added = (median(ways[1]) - median(ways[0])) * 1_000
        worst = (max(ways[1]) - median(ways[0])) * 1_000
    return Result(
        scenario.name,
        {
            "request": request_differences(direct, through),
            "status": [] if direct.status == through.status else [f"{direct.status} became {through.status}"],
            "headers": pair_differences(direct.headers, through.headers, NOT_THE_PROVIDERS, added=OURS),
            "bytes": byte_differences("the answer", direct.body, through.body),
            "pings": ping_differences(direct.body, through.body),
            "timing": timing_differences(scenario, direct, through, added, worst),
        },
        added,
        worst,
        pings_in(through.body),
    )


def request_differences(direct: Seen, through: Seen) -> list[str]:
    found = byte_differences("the request", direct.asked_body, through.asked_body)
    if direct.asked_target != through.asked_target:
        found.append(f"{direct.asked_target!r} became {through.asked_target!r}")
    return found + pair_differences(direct.asked_headers, through.asked_headers, NOT_THE_CLIENTS)


def pair_differences(
    direct: Pairs, through: Pairs, ignored: frozenset[bytes], added: frozenset[bytes] = frozenset()
) -> list[str]:
    one, other = ([pair for pair in lowered(pairs) if pair[0] not in ignored] for pairs in (direct, through))
    other = [pair for pair in other if pair[0] not in added]
    missing, more = Counter(one) - Counter(other), Counter(other) - Counter(one)
    found = [f"lost {shown(pair)}" for pair in missing] + [f"added {shown(pair)}" for pair in more]
    return found or ([] if one == other else ["another order"])


def lowered(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in pairs]


def shown(pair: tuple[bytes, bytes]) -> str:
    return f"{pair[0].decode('latin-1')}: {pair[1].decode('latin-1')[:80]}"


def byte_differences(what: str, direct: bytes, through: bytes) -> list[str]:
    if direct == through:
        return []
    at = next(
        (n for n, (a, b) in enumerate(zip(direct, through, strict=False)) if a != b), min(len(direct), len(through))
    )
    return [f"{what} differs from byte {at} on: {len(direct)} bytes became {len(through)}"]


def pings_in(body: bytes) -> int:
    return body.count(b"event: ping") + body.count(b"\n: ") + body.startswith(b": ")


def ping_differences(direct: bytes, through: bytes) -> list[str]:
    one, other = pings_in(direct), pings_in(through)
    return [] if one == other else [f"{one} pings and comments became {other}"]


def travelled(scenario: Scenario, seen: Seen) -> list[float]:
    """Seconds each piece took from the provider to the client; empty when not all of them came."""
    bounds = list(accumulate(len(piece) for piece in scenario.pieces))
    times, had, waiting = [], 0, list(zip(bounds, seen.sent, strict=False))
    for at, data in seen.arrivals:
        had += len(data)
        while waiting and had >= waiting[0][0]:
            times.append(at - waiting.pop(0)[1])
    return [] if waiting else times


def timing_differences(
    scenario: Scenario, direct: Seen, through: Seen, added: float | None, worst: float | None
) -> list[str]:
    found = []
    if added is None or worst is None:
        return ["not every piece came"]
    if added > ADDED_MS:
        found.append(f"{added:.1f} ms more for a piece, in the median")
    if worst > WORST_MS:
        found.append(f"{worst:.0f} ms more for the slowest piece")
    if len(direct.arrivals) == len(scenario.pieces) > len(through.arrivals):
        found.append(f"{len(scenario.pieces)} pieces came in {len(through.arrivals)}")
    return found
