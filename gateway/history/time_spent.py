"""Where the time of one exchange went, out of when things happened: who was waited for, and how fast it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

STALL_MS = 2_000.0


class Owner(StrEnum):
    """Who was waited for."""

    UPSTREAM = "upstream silent"
    CLIENT = "client not reading"
    GATEWAY = "gateway queueing"


@dataclass(frozen=True, slots=True)
class Stall:
    """More than two seconds in which nothing moved; `at_ms` since the admission."""

    at_ms: float
    length_ms: float
    owner: Owner


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """Milliseconds; None where nothing tells. `queued`: until the first provider was called. `retried`: on calls that
    failed. `connecting` and `waiting`: of the last call, until it was connected and then until its first byte.
    `streaming`: from the first byte to the last. `tokens_per_second`: output while it streamed."""

    queued_ms: float | None = None
    retried_ms: float | None = None
    connecting_ms: float | None = None
    waiting_ms: float | None = None
    streaming_ms: float | None = None
    tokens_per_second: float | None = None
    stalls: tuple[Stall, ...] = ()


def time_spent(
    arrivals_us: Sequence[int],
    held_us: Sequence[tuple[int, int]],
    attempts: Sequence[Mapping[str, Any]],
    output_tokens: int | None,
) -> TimeSpent:
    """All times in microseconds since the admission: `arrivals_us` of the answer's chunks, `held_us` (when, how long)
    the client took no bytes, `attempts` with `at_us` and `connected_us`."""
    called = [attempt["at_us"] for attempt in attempts]
    connected = attempts[-1].get("connected_us") if attempts else None
    first = arrivals_us[0] if arrivals_us else None
    streaming = arrivals_us[-1] - arrivals_us[0] if len(arrivals_us) > 1 else None
    return TimeSpent(
        queued_ms=in_ms(called[0]) if called else None,
        retried_ms=in_ms(called[-1] - called[0]) if called else None,
        connecting_ms=between(called[-1] if called else None, connected),
        waiting_ms=between(connected if connected is not None else (called[-1] if called else None), first),
        streaming_ms=in_ms(streaming) if streaming is not None else None,
        tokens_per_second=output_tokens * 1e6 / streaming if output_tokens and streaming else None,
        stalls=tuple(find_stalls(arrivals_us, held_us, called)),
    )


def find_stalls(arrivals_us: Sequence[int], held_us: Sequence[tuple[int, int]], called: Sequence[int]) -> list[Stall]:
    """The wait for a first call is the gateway's. Between two chunks the provider is read no further while the client
    does not take the one before: that part of a gap is the client's, the rest the provider's."""
    found = [Stall(0.0, in_ms(called[0]), Owner.GATEWAY)] if called and in_ms(called[0]) > STALL_MS else []
    for before, after in pairwise(arrivals_us):
        if in_ms(after - before) > STALL_MS:
            client = min(after - before, sum(length for at, length in held_us if before <= at < after))
            found += parts(before, client, after)
    found += [
        Stall(in_ms(at), in_ms(length), Owner.CLIENT)
        for at, length in held_us
        if arrivals_us and at >= arrivals_us[-1] and in_ms(length) > STALL_MS
    ]
    return found


def parts(before: int, client: int, after: int) -> list[Stall]:
    silent = after - before - client
    both = (
        Stall(in_ms(before), in_ms(client), Owner.CLIENT),
        Stall(in_ms(before + client), in_ms(silent), Owner.UPSTREAM),
    )
    return [stall for stall in both if stall.length_ms > STALL_MS]


def between(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else in_ms(max(0, end - start))


def in_ms(micros: int) -> float:
    return micros / 1_000
