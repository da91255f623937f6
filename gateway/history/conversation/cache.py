"""Why the prompt cache missed: what a call could have read, what it did read, and the first thing that was different.

What could have been read is what the turn before wrote or read up to its last breakpoint. It is lost when the model,
the organization or a prefix parameter is another, when a part before the breakpoint says something else (in the order
tools, system, messages, compared by what it says), when the breakpoint's lifetime is over (a read renews it), or when
the breakpoint is out of reach. What is shorter than the model's minimum is never cached.
Rules: Anthropic's and OpenAI's pages on prompt caching, as of November 2026.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.dialects.json_values import object_or_none
from gateway.dialects.names import Dialect
from gateway.history.conversation.attempts import ReadPart
from gateway.history.conversation.calls import Breakpoint, Call
from gateway.history.conversation.names import first_difference
from gateway.history.conversation.prefixes import Prefixes, common_length
from gateway.history.conversation.turns import Mark, Turn

LIFETIMES: Final = {
    "5m": datetime.timedelta(minutes=5),
    "1h": datetime.timedelta(hours=1),
    "24h": datetime.timedelta(hours=24),
}
# Start of a model's name -> the shortest prompt it caches, in tokens; the first that fits counts.
MINIMUMS: Final = (
    ("claude-sonnet-4-6", 2048),
    ("claude-opus-4-1", 1024),
    ("claude-opus-4-2", 1024),
    ("claude-opus-4-0", 1024),
    ("claude-sonnet-4", 1024),
    ("claude-3-7", 1024),
    ("claude-3-5-haiku", 2048),
    ("claude-3-haiku", 2048),
    ("claude-3", 1024),
    ("gpt-", 1024),
    ("o", 1024),
)
STRICTEST_MINIMUM: Final = 4096
NOISE: Final = 1024
"""A difference below this many tokens is not looked into: providers round, and count the newest block by their own."""
LOOKED_BACK: Final = 20
"""Blocks before a breakpoint in which an older one is found. A message has at least one."""
PREFIX_SETTINGS: Final = (
    "tool_choice",
    "thinking",
    "speed",
    "output_config",
    "reasoning",
    "context_management",
    "text",
)


class Cause(StrEnum):
    MODEL = "model"
    ORGANIZATION = "organization"
    PROMPT = "prompt"
    COMPACTION = "compaction"
    SETTING = "setting"
    BETAS = "betas"
    EXPIRED = "expired"
    BREAKPOINT = "breakpoint"
    TOO_EARLY = "too_early"
    """The call before had not begun to answer, so nothing was cached yet."""
    CLIENT = "client"
    """Another version of the client, and nothing else that is known."""
    PROVIDER = "provider"
    """Nothing differs that is known here: the provider did not keep it, or did not find it."""


class Prices(NamedTuple):
    """USD for a token. None: unknown."""

    input: Decimal | None
    cache_read: Decimal | None
    cache_write: Decimal | None
    cache_write_1h: Decimal | None = None


PriceOf = Callable[[Call], Prices | None]


@dataclass(frozen=True, slots=True)
class CacheReading:
    """`available`: tokens the call before left in the cache; `expected`: of these, what could still be read; both None
    when nobody said. `lost`, `cause` and `reasons` only where the cache missed; the first reason belongs to `cause`."""

    call: Call
    before: Call | None = None
    available: int | None = None
    expected: int | None = None
    actual: int | None = None
    estimated: bool = False
    """`expected` is a part of `available`, by the bytes of the prompt."""
    lost: int | None = None
    lost_cost: Decimal | None = None
    """USD."""
    cause: Cause | None = None
    reasons: tuple[str, ...] = ()


Reasons = list[tuple[Cause, str]]


def cache_readings(turns: Sequence[Turn], read: ReadPart, price_of: PriceOf = lambda call: None) -> list[CacheReading]:
    """One for each call that says what it read from the cache, in the order of `turns`."""
    reader = CacheReader([attempt.call for turn in turns for attempt in turn.attempts], read, price_of)
    return [
        reader.reading(call, before_of(turn, number), compacted=Mark.COMPACTION in turn.marks)
        for turn in turns
        for number, (call, _, _) in enumerate(turn.attempts)
        if call.cache_read_tokens is not None
    ]


def before_of(turn: Turn, number: int) -> Call | None:
    """The newest call before this attempt that reached the cache: of its own turn, else of those it goes on from."""
    candidates = [attempt.call for attempt in turn.attempts[:number]]
    ancestor = turn.parent
    while not any(map(left_in_cache, candidates)) and ancestor is not None and ancestor.agent_id == turn.agent_id:
        candidates = [attempt.call for attempt in ancestor.attempts]
        ancestor = ancestor.parent
    return next((call for call in reversed(candidates) if left_in_cache(call)), None)


def left_in_cache(call: Call) -> int | None:
    """Tokens of the prompt that lay in the cache once it was answered."""
    return None if call.cache_read_tokens is None else call.cache_read_tokens + (call.cache_write_tokens or 0)


class CacheReader:
    """Reads the calls of one session; `calls` are all of them, because each may have renewed what another wrote."""

    def __init__(self, calls: Sequence[Call], read: ReadPart, price_of: PriceOf) -> None:
        self._read = read
        self._price_of = price_of
        prefixes = Prefixes()
        self._prefixes = {call.id: prefixes.numbers(call.parts) for call in calls}
        marked = {self._prefixes[call.id][point.position] for call in calls for point in breakpoints_of(call)}
        self._touches: dict[int, list[Call]] = {number: [] for number in marked}
        for call in sorted(filter(left_in_cache, calls), key=lambda call: call.started_at):
            for number in marked.intersection(self._prefixes[call.id]):
                self._touches[number].append(call)

    def reading(self, call: Call, before: Call | None, *, compacted: bool = False) -> CacheReading:
        actual = call.cache_read_tokens
        available = left_in_cache(before) if before else None
        if before is None or available is None or actual is None:
            return CacheReading(call, before, available, None, actual)
        expected, estimated = expected_tokens(before, self._readable_place(before, call), available)
        lost = available - actual
        if available < minimum(call) or lost < NOISE:
            return CacheReading(call, before, available, expected, actual, estimated)
        reasons = self._reasons(before, call, compacted=compacted)
        return CacheReading(
            call,
            before,
            available,
            expected,
            actual,
            estimated,
            lost,
            cost_of(call, lost, self._price_of(call)),
            reasons[0][0],
            tuple(sentence for _, sentence in reasons),
        )

    def _readable_place(self, before: Call, call: Call) -> int | None:
        """The last breakpoint of `before` that `call` could read up to; None when there is none."""
        if model_of(before) != model_of(call) or other_organization(before, call) or changed_settings(before, call):
            return None
        same = self._equal_parts(before, call)
        readable = [
            point.position
            for point in breakpoints_of(before)
            if point.position < same and not self._expired(point, before, call) and within_reach(point, call)
        ]
        return max(readable, default=None)

    def _reasons(self, before: Call, call: Call, *, compacted: bool) -> Reasons:
        """Everything known to differ, what surely breaks the cache first. Never empty."""
        found: Reasons = []
        if model_of(before) != model_of(call):
            found.append((Cause.MODEL, f"model changed: {model_of(before)} → {model_of(call)}"))
        if other_organization(before, call):
            found.append((Cause.ORGANIZATION, f"organization {before.organization_id} → {call.organization_id}"))
        found += self._changed_prompt(before, call, compacted=compacted)
        found += [(Cause.SETTING, f"{name} changed") for name in changed_settings(before, call)]
        found += self._expiry(before, call)
        found += [] if found else lost_breakpoint(before, call)
        if not found and call.started_at < read_at(before):
            found.append((Cause.TOO_EARLY, "began before the call before it was answered"))
        found = found or changed_betas(before, call)
        if before.client_version != call.client_version:
            found.append((Cause.CLIENT, f"client {before.client_version} → {call.client_version}"))
        return found or [(Cause.PROVIDER, "nothing differs that is known here: the provider did not find it")]

    def _changed_prompt(self, before: Call, call: Call, *, compacted: bool) -> Reasons:
        points = breakpoints_of(before)
        last = points[-1].position if points else -1
        if self._equal_parts(before, call) > last:
            return []
        difference = first_difference(before.parts[: last + 1], call.parts, self._read)
        if compacted:
            return [(Cause.COMPACTION, f"{difference} (compaction)")]
        return [(Cause.PROMPT, f"{difference}")]

    def _equal_parts(self, before: Call, call: Call) -> int:
        return common_length(self._prefixes[before.id], self._prefixes[call.id])

    def _expiry(self, before: Call, call: Call) -> Reasons:
        points = breakpoints_of(before)
        if not points or not self._expired(points[-1], before, call):
            return []
        gap = call.started_at - self._last_touch(points[-1], before, call)
        return [(Cause.EXPIRED, f"gap {in_words(gap)} over a {in_words(lifetime(points[-1]))} TTL")]

    def _expired(self, point: Breakpoint, before: Call, call: Call) -> bool:
        return call.started_at - self._last_touch(point, before, call) > lifetime(point)

    def _last_touch(self, point: Breakpoint, before: Call, call: Call) -> datetime.datetime:
        """When this prefix was last written or read before the call, by anyone of the session."""
        wanted = self._prefixes[before.id][point.position]
        for other in reversed(self._touches.get(wanted, ())):
            same = model_of(other) == model_of(before) and not other_organization(other, before)
            if same and other.started_at < call.started_at:
                return max(read_at(other), read_at(before))
        return read_at(before)


def minimum(call: Call) -> int:
    """The shortest prompt that the model caches, in tokens; of an unknown model the strictest there is."""
    name = (call.model or call.requested_model or "").lower()
    return next((tokens for start, tokens in MINIMUMS if name.startswith(start)), STRICTEST_MINIMUM)


def breakpoints_of(call: Call) -> list[Breakpoint]:
    """Where it asked for caching, in order; providers that are not asked cache all of it."""
    last = len(call.parts) - 1
    if call.dialect == Dialect.ANTHROPIC:
        whole = object_or_none(call.settings.get("cache_control"))
        points = [*call.breakpoints, *([Breakpoint(last, str(whole.get("ttl", "5m")))] if whole else [])]
        return sorted((point for point in points if point.position <= last), key=lambda point: point.position)
    kept = "24h" if call.settings.get("prompt_cache_retention") == "24h" else "5m"
    return [Breakpoint(last, kept)] if call.parts else []


def expected_tokens(before: Call, place: int | None, available: int) -> tuple[int, bool]:
    """Tokens up to that breakpoint, and whether they are an estimate by bytes."""
    points = breakpoints_of(before)
    if place is None or not points:
        return 0, False
    last = points[-1].position
    if place >= last:
        return available, False
    whole = sum(part.size for part in before.parts[: last + 1])
    share = sum(part.size for part in before.parts[: place + 1]) / whole if whole else 0
    return round(available * share), True


def model_of(call: Call) -> str | None:
    return call.requested_model or call.model


def other_organization(before: Call, call: Call) -> bool:
    known = before.organization_id is not None and call.organization_id is not None
    return known and before.organization_id != call.organization_id


def changed_settings(before: Call, call: Call) -> list[str]:
    return [name for name in PREFIX_SETTINGS if before.settings.get(name) != call.settings.get(name)]


def changed_betas(before: Call, call: Call) -> Reasons:
    added = [f"beta {beta} added" for beta in call.betas if beta not in before.betas]
    removed = [f"beta {beta} removed" for beta in before.betas if beta not in call.betas]
    return [(Cause.BETAS, sentence) for sentence in added + removed]


def within_reach(point: Breakpoint, call: Call) -> bool:
    """Whether the call has a breakpoint at or not too far behind this one."""
    return any(0 <= other.position - point.position <= LOOKED_BACK for other in breakpoints_of(call))


def lost_breakpoint(before: Call, call: Call) -> Reasons:
    points = breakpoints_of(before)
    if not points or within_reach(points[-1], call):
        return []
    if not breakpoints_of(call):
        return [(Cause.BREAKPOINT, "no breakpoint: caching was not asked for")]
    return [(Cause.BREAKPOINT, f"no breakpoint within {LOOKED_BACK} blocks behind the one before")]


def lifetime(point: Breakpoint) -> datetime.timedelta:
    return LIFETIMES.get(point.ttl, LIFETIMES["5m"])


def read_at(call: Call) -> datetime.datetime:
    """When the provider had read the prompt: a cache entry is there once the answer begins."""
    return call.started_at + datetime.timedelta(milliseconds=call.first_byte_ms or 0)


def in_words(span: datetime.timedelta) -> str:
    seconds = round(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def cost_of(call: Call, lost: int, prices: Prices | None) -> Decimal | None:
    """What the lost tokens cost more than reading them would have: those written again, and the rest as input."""
    if prices is None or prices.cache_read is None or prices.input is None:
        return None
    written = min(lost, call.cache_write_tokens or 0)
    rest = (lost - written) * (prices.input - prices.cache_read)
    if not written:
        return rest
    price = write_price(call, prices)
    return None if price is None else rest + written * (price - prices.cache_read)


def write_price(call: Call, prices: Prices) -> Decimal | None:
    """Of a token written to the cache, on average over the two lifetimes the call asked for."""
    written, hour = call.cache_write_tokens or 0, call.cache_write_1h_tokens or 0
    parts = [(written - hour, prices.cache_write), (hour, prices.cache_write_1h)]
    known = [(count, price) for count, price in parts if count > 0]
    if not written or any(price is None for _, price in known):
        return None
    return sum((count * price for count, price in known if price is not None), Decimal(0)) / written
