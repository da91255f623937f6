"""One session as it is read on a page: the rail of its turns, some of them in full, and what changed between two.

A long session is read a window of calls at a time: what lies before a window is not known in it, and the first of its
turns begins with all of its messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from dashboard.rendering.blocks import Renderer, ShownTurn
from dashboard.rendering.diffs import Diff, compare
from gateway.dialects.tool_calls import tool_results
from gateway.history.conversation.attempts import block_texts
from gateway.history.conversation.cache import CacheReading, cache_readings
from gateway.history.conversation.calls import Call, Part
from gateway.history.conversation.comparing import call_before
from gateway.history.conversation.comparing import compare as compare_calls
from gateway.history.conversation.context import prompt_tokens
from gateway.history.conversation.difference import Difference
from gateway.history.conversation.loading import OWN, Loaded, load_calls, with_responses
from gateway.history.conversation.rates import price_reader
from gateway.history.conversation.tree import Agent, agents_of
from gateway.history.conversation.turns import Turn, gather, new_messages
from gateway.history.export.session_page import messages_of
from gateway.history.transcript.blocks import SHOWN_ON_ONE_PAGE, Allowance, as_list, as_mapping, bounded_turn, pretty
from gateway.history.transcript.blocks import Turn as Message
from gateway.history.visibility import Sight
from gateway.models import RequestLog

WINDOW: Final = 240
SMALLEST_WINDOW: Final = 40
MESSAGES_READ: Final = 150_000
"""Of all prompts of a window together: each call's prompt has all messages before it."""
TURNS_SHOWN: Final = 10
MESSAGES_OF_A_FIRST_TURN: Final = 6
DIFFERENCES_SHOWN: Final = 60
COMPARED_TEXT: Final = 60_000
NEWER_COUNTED: Final = 100


@dataclass(frozen=True, slots=True)
class Window:
    """Some calls of a session, `last` the newest of them. `earlier` and `later` are calls around which the windows
    beside this one lie."""

    loaded: Loaded
    total: int
    earlier: UUID | None
    later: UUID | None
    last: UUID

    @property
    def whole(self) -> bool:
        return self.earlier is None and self.later is None


@dataclass(slots=True)
class RailTurn:
    """A turn on the rail. `share` is its prompt's size, in percent of the session's largest; `spent` its cost,
    likewise."""

    id: UUID
    number: int
    turn: Turn
    tokens: int | None
    cost_usd: Decimal | None
    marks: list[str]
    miss: CacheReading | None
    failed_tools: int
    said: str
    share: float = 0.0
    spent: float = 0.0
    started: list[RailAgent] = field(default_factory=list)

    @property
    def call(self) -> Call:
        return self.turn.answer

    @property
    def failed(self) -> bool:
        return not self.call.answered


@dataclass(slots=True)
class RailAgent:
    """`id` is empty for the main agent."""

    id: str
    turns: list[RailTurn]
    loose: list[RailAgent] = field(default_factory=list)
    """Agents of which it is not known what started them."""

    @property
    def cost_usd(self) -> Decimal | None:
        known = [turn.cost_usd for turn in self.turns if turn.cost_usd is not None]
        return sum(known, Decimal(0)) if known else None


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A turn in full: what was new in it, and the answer. `skipped` messages before are not shown."""

    rail: RailTurn
    said: Sequence[ShownTurn]
    answered: Sequence[ShownTurn]
    skipped: int
    before: UUID | None
    """What it can be compared with."""


def load_window(sight: Sight, session_id: str, around: UUID | None = None, newest: bool = False) -> Window | None:
    """The calls around one of the session, or its first or newest ones; None when there is no such session."""
    rows = with_responses(sight.requests().filter(session_id=session_id, purpose=OWN))
    total = rows.order_by().values("pk")[:100_000].count()
    if total == 0:
        return None
    chosen = choose(rows, window_size(rows), around, newest)
    first, last = chosen[0].id, chosen[-1].id
    calls, reader = load_calls(chosen)
    loaded = Loaded(session_id, gather(calls, reader.read), reader)
    if len(chosen) >= total:
        return Window(loaded, total, None, None, last)
    earlier = rows.filter(id__lt=first).order_by("-id").values_list("id", flat=True).first()
    later = rows.filter(id__gt=last).order_by("id").values_list("id", flat=True).first()
    return Window(loaded, total, earlier, later, last)


def count_newer(sight: Sight, session_id: str, last: UUID) -> int | None:
    """How many calls of the session came after `last`, `NEWER_COUNTED` at most; None: there is no such session."""
    rows = sight.requests().filter(session_id=session_id, purpose=OWN)
    if not rows.filter(id=last).exists():
        return None
    return rows.filter(id__gt=last).order_by()[:NEWER_COUNTED].count()


def window_size(rows: QuerySet[RequestLog]) -> int:
    """How many calls are read at once: fewer where their prompts are long."""
    messages = rows.order_by("-id").values_list("message_count", flat=True).first() or 1
    return max(min(WINDOW, SMALLEST_WINDOW), min(WINDOW, MESSAGES_READ // messages))


def choose(rows: QuerySet[RequestLog], size: int, around: UUID | None, newest: bool) -> list[RequestLog]:
    """In the order of time; never empty when the session has a row."""
    if around is None and newest:
        return list(rows.order_by("-id")[:size])[::-1]
    if around is None:
        return list(rows.order_by("id")[:size])
    before = list(rows.filter(id__lte=around).order_by("-id")[: size // 2])[::-1]
    after = list(rows.filter(id__gt=around).order_by("id")[: size - len(before)])
    if len(before) + len(after) < size and before:
        before = [
            *list(rows.filter(id__lt=before[0].id).order_by("-id")[: size - len(before) - len(after)])[::-1],
            *before,
        ]
    return [*before, *after] or list(rows.order_by("id")[:size])


def read_rail(loaded: Loaded) -> list[RailAgent]:
    """The agents nobody started, each with its turns, and below a turn the agents it started."""
    readings = {
        reading.call.id: reading for reading in cache_readings(loaded.turns, loaded.reader.read, price_reader())
    }
    seen: set[bytes] = set()
    turns = {id(turn): rail_turn(turn, loaded, readings, seen) for turn in loaded.turns}
    largest = max((turn.tokens or 0 for turn in turns.values()), default=0) or 1
    dearest = max((turn.cost_usd or Decimal(0) for turn in turns.values()), default=Decimal(0)) or Decimal(1)
    for found in turns.values():
        found.share = 100 * (found.tokens or 0) / largest
        found.spent = float(100 * (found.cost_usd or 0) / dearest)
    return [rail_agent(agent, turns) for agent in agents_of(loaded)]


def rail_agent(agent: Agent, turns: dict[int, RailTurn]) -> RailAgent:
    own = RailAgent(agent.id or "", [turns[id(turn)] for turn in agent.turns])
    for child in agent.agents:
        below = rail_agent(child, turns)
        if child.started_by is not None:
            turns[id(child.started_by)].started.append(below)
        else:
            own.loose.append(below)
    return own


def rail_turn(turn: Turn, loaded: Loaded, readings: dict[UUID, CacheReading], seen: set[bytes]) -> RailTurn:
    """`seen` are the messages of the turns before: a tool's failure belongs to the first turn that tells of it."""
    call = turn.answer
    fresh = [part for part in call.messages if part.digest not in seen]
    seen.update(part.digest for part in fresh)
    values = [loaded.reader.read(part) for part in fresh[-MESSAGES_OF_A_FIRST_TURN:]]
    miss = next(
        (readings[a.call.id] for a in turn.attempts if readings.get(a.call.id) and readings[a.call.id].cause), None
    )
    costs = [attempt.call.cost_usd for attempt in turn.attempts if attempt.call.cost_usd is not None]
    return RailTurn(
        id=turn.first.id,
        number=turn.number,
        turn=turn,
        tokens=prompt_tokens(call),
        cost_usd=sum(costs, Decimal(0)) if costs else None,
        marks=[mark.value for mark in turn.marks],
        miss=miss,
        failed_tools=sum(result.is_error is True for value in values for result in tool_results(value)),
        said=gist(loaded, call, values),
    )


def gist(loaded: Loaded, call: Call, values: Sequence[Any]) -> str:
    """A few words of the turn: what a person said in it, else what was answered, else which tools were called."""
    for value in reversed(values):
        if as_mapping(value).get("role") == "user" and (said := spoken(value)):
            return said
    reply = loaded.reader.value(call.reply) if call.reply else None
    for message in reply if isinstance(reply, list) else [reply]:
        if said := spoken(message):
            return said
        if called := [str(block.get("name")) for block in blocks_of(message) if block.get("type") == "tool_use"]:
            return ", ".join(called)
    return ""


def blocks_of(message: Any) -> list[Any]:
    return [block for block in as_list(as_mapping(message).get("content")) if isinstance(block, dict)]


def spoken(message: Any) -> str:
    for text in block_texts(message):
        # A block that is no text is written as the list of its members.
        if text and not text.startswith(("<", "[(")):
            return " ".join(text[:240].split())[:120]
    return ""


def flat(agents: Sequence[RailAgent]) -> Iterator[RailAgent]:
    for agent in agents:
        yield agent
        yield from flat(agent.loose)
        for turn in agent.turns:
            yield from flat(turn.started)


def agent_of(agents: Sequence[RailAgent], agent_id: str) -> RailAgent | None:
    """The agent of that id, else the first; None when nothing in the session asked a model."""
    return next((found for found in flat(agents) if found.id == agent_id), agents[0] if agents else None)


def read_turns(
    window: Window, agents: Sequence[RailAgent], agent_id: str, start: UUID | None, media: Any
) -> tuple[list[ReadTurn], UUID | None]:
    """Some turns of one agent from `start` on, and where the next ones begin. `media(call, found)` is the address of a
    picture."""
    agent = agent_of(agents, agent_id)
    if agent is None:
        return [], None
    at = next((number for number, turn in enumerate(agent.turns) if turn.id == start), 0)
    shown = agent.turns[at : at + TURNS_SHOWN]
    renderer, allowance = Renderer(), Allowance(SHOWN_ON_ONE_PAGE)
    if at > 0:
        renderer.note_calls(answer_of(window.loaded, agent.turns[at - 1].turn.answer))
    turns = [read_turn(window.loaded, turn, renderer, allowance, media) for turn in shown]
    after = at + TURNS_SHOWN
    return turns, agent.turns[after].id if after < len(agent.turns) else None


def answer_of(loaded: Loaded, call: Call) -> Sequence[Message]:
    reply = loaded.reader.value(call.reply) if call.reply else None
    return messages_of(call, reply if isinstance(reply, list) else [] if reply is None else [reply])


def read_turn(loaded: Loaded, rail: RailTurn, renderer: Renderer, allowance: Allowance, media: Any) -> ReadTurn:
    call = rail.turn.answer
    fresh = new_messages(rail.turn)
    kept = fresh[-MESSAGES_OF_A_FIRST_TURN:]
    renderer.media_address = lambda found: media(call.id, found)
    said = messages_of(call, [loaded.reader.read(part) for part in kept])
    answered = answer_of(loaded, call)
    before = call_before(loaded, call)
    return ReadTurn(
        rail,
        renderer.turns(bounded_turn(replace(turn, number=0), allowance) for turn in said),
        renderer.turns(bounded_turn(replace(turn, number=0), allowance) for turn in answered),
        len(fresh) - len(kept),
        before.id if before else None,
    )


@dataclass(frozen=True, slots=True)
class ShownDifference:
    """`diff` is there where texts can be compared; `text` is what entered or left, cut."""

    difference: Difference
    diff: Diff | None = None
    text: str = ""


def read_difference(loaded: Loaded, call_id: UUID) -> dict[str, Any]:
    """What changed from the call before to this one. Raises NotInHistory."""
    call = loaded.call(call_id)
    before = call_before(loaded, call)
    found = compare_calls(loaded, before, call) if before else []
    return {
        "call": call,
        "before": before,
        "differences": [shown_difference(loaded, item) for item in found[:DIFFERENCES_SHOWN]],
        "left_out": max(0, len(found) - DIFFERENCES_SHOWN),
        "tokens_before": prompt_tokens(before) if before else None,
        "tokens_after": prompt_tokens(call),
    }


def shown_difference(loaded: Loaded, item: Difference) -> ShownDifference:
    if item.old is not None and item.new is not None and item.old.digest != item.new.digest:
        return ShownDifference(item, compare(text_of(loaded, item.old), text_of(loaded, item.new)))
    part = item.new or item.old
    return ShownDifference(item, text=text_of(loaded, part)[:4_000] if part else "")


def text_of(loaded: Loaded, part: Part) -> str:
    """A message's texts line by line; of what has none, its JSON."""
    value = loaded.reader.read(part)
    content = as_mapping(value).get("content")
    if isinstance(content, str):
        return content[:COMPARED_TEXT]
    blocks = as_list(content)
    if blocks and all(as_mapping(block).get("type") == "text" for block in blocks):
        return "\n".join(str(block.get("text")) for block in blocks)[:COMPARED_TEXT]
    if isinstance(as_mapping(value).get("text"), str):
        return str(value["text"])[:COMPARED_TEXT]
    return pretty(value)[:COMPARED_TEXT]
