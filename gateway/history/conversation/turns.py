"""Turns out of calls: attempts gathered, parents found by what the messages begin with, forks and compactions marked.

A turn's parent is the turn whose messages it goes on from, be it by headers or without any. Most calls go on from the
one before them in their lane (a session's agent); a fork goes on from an older one, a compaction from none in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import dropwhile, pairwise
from typing import Final, NamedTuple

from gateway.dialects.json_values import objects_of
from gateway.history.conversation.attempts import ReadPart, Why, dropped, is_retry, resumes, why_again
from gateway.history.conversation.calls import Call, Part, is_turn
from gateway.history.conversation.prefixes import Prefixes

COMPACTED_TEXT: Final = "This session is being continued from a previous conversation"
COMPACTION_ITEMS: Final = frozenset({"compaction", "compaction_trigger"})
LOOKED_BACK: Final = 20
ANSWERS: Final = frozenset({"assistant", "reasoning"})
RESUMED_WITHIN: Final = 3


class Mark(StrEnum):
    FORK = "fork"
    """It goes on from a turn that was gone on from before: a rewind, or two branches."""
    COMPACTION = "compaction"
    """Its history is a summary of what its parent's was."""
    REWRITTEN = "rewritten"
    """It goes on from its parent, but something older in the history was changed."""
    RESUMED = "resumed"
    """Its answer broke off and was asked for again from where it was."""


class Attempt(NamedTuple):
    call: Call
    why: Why
    dropped: list[str]
    """Betas the attempt before asked for and this one did not."""


@dataclass(slots=True, eq=False)
class Turn:
    """`number` counts a lane's turns from 1 in the order of time."""

    number: int
    agent_id: str | None
    attempts: list[Attempt]
    parent: Turn | None = None
    children: list[Turn] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @property
    def first(self) -> Call:
        return self.attempts[0].call

    @property
    def last(self) -> Call:
        return self.attempts[-1].call

    @property
    def answer(self) -> Call:
        """The attempt that was answered; the last when none was."""
        return next((attempt.call for attempt in reversed(self.attempts) if attempt.call.answered), self.last)


@dataclass(slots=True)
class Lane:
    """One agent's turns in the order of time, and the newest for each thing said."""

    turns: list[Turn] = field(default_factory=list)
    by_said: dict[int, Turn] = field(default_factory=dict)


class Gathering:
    """Turns of one session, call by call."""

    def __init__(self, read: ReadPart) -> None:
        self.turns: list[Turn] = []
        self._read = read
        self._lanes: dict[str | None, Lane] = {}
        self._prefixes = Prefixes()

    def add(self, call: Call) -> None:
        lane = self._lanes.setdefault(call.agent_id, Lane())
        said = self._prefixes.numbers(call.spoken)
        turn = self._attempt_of(lane, call, said)
        if turn is None:
            turn = Turn(len(lane.turns) + 1, call.agent_id, [Attempt(call, Why.FIRST, [])])
            self._find_parent(turn, lane, said)
            lane.turns.append(turn)
            self.turns.append(turn)
        if said:
            lane.by_said[said[-1]] = turn

    def _attempt_of(self, lane: Lane, call: Call, said: list[int]) -> Turn | None:
        """The turn this is another attempt of, with the attempt added; None when it is a turn of its own."""
        turn = lane.by_said.get(said[-1]) if said else None
        if turn is not None and is_retry(turn.last, call) and not turn.children:
            turn.attempts.append(Attempt(call, why_again(turn.last, call), dropped(turn.last, call)))
            return turn
        for turn in reversed(lane.turns[-RESUMED_WITHIN:]):
            if not turn.children and resumes(turn.last, call, self._read):
                turn.attempts.append(Attempt(call, Why.RESUMED, dropped(turn.last, call)))
                if Mark.RESUMED not in turn.marks:
                    turn.marks.append(Mark.RESUMED)
                return turn
        return None

    def _find_parent(self, turn: Turn, lane: Lane, said: list[int]) -> None:
        parent, length = continued(lane, said)
        spoken = turn.first.spoken
        if (later := rewritten(lane, parent, spoken[length:])) is not None:
            parent = later
            turn.marks.append(Mark.REWRITTEN)
        elif parent is None:
            parent = self._compacted(turn, lane) or self._from_another_lane(said)
        elif any(self._has_compaction(part) for part in spoken[length:]):
            turn.marks.append(Mark.COMPACTION)
        if parent is None:
            return
        if any(child.agent_id == turn.agent_id for child in parent.children) and Mark.COMPACTION not in turn.marks:
            turn.marks.append(Mark.FORK)
        turn.parent = parent
        parent.children.append(turn)

    def _from_another_lane(self, said: list[int]) -> Turn | None:
        """An agent that was started with the conversation of another."""
        return next((found for lane in self._lanes.values() if (found := continued(lane, said)[0])), None)

    def _compacted(self, turn: Turn, lane: Lane) -> Turn | None:
        """The newest conversation of the lane, when this turn's history is a summary of it."""
        before = next((other for other in reversed(lane.turns) if len(other.last.spoken) > 1), None)
        if before is None or not says_compacted(turn.first, before.last, self._read):
            return None
        turn.marks.append(Mark.COMPACTION)
        return before

    def _has_compaction(self, part: Part) -> bool:
        if part.role in COMPACTION_ITEMS:
            return part.role == "compaction"
        message = self._read(part)
        blocks = objects_of(message.get("content")) if isinstance(message, dict) else []
        return any(block.get("type") == "compaction" for block in blocks)


def gather(calls: Iterable[Call], read: ReadPart) -> list[Turn]:
    """The turns of one session, oldest first. `calls` are in the order of time; what asks no model is left out."""
    gathering = Gathering(read)
    for call in calls:
        if is_turn(call.path):
            gathering.add(call)
    return gathering.turns


def continued(lane: Lane, said: list[int]) -> tuple[Turn | None, int]:
    """The turn with the longest history that this one's begins with, and how long that is."""
    for length in range(len(said) - 1, 0, -1):
        if (found := lane.by_said.get(said[length - 1])) is not None:
            return found, length
    return None, 0


def rewritten(lane: Lane, parent: Turn | None, rest: Sequence[Part]) -> Turn | None:
    """A later turn than `parent` whose newest two messages stand in the rest of the history: it was changed before."""
    pairs = {(a.digest, b.digest) for a, b in pairwise(rest[:-1])}
    later = lane.turns[parent.number if parent else 0 :]
    for turn in reversed(later[-LOOKED_BACK:]):
        newest = tuple(part.digest for part in turn.last.spoken[-2:])
        if newest in pairs:
            return turn
    return None


def says_compacted(call: Call, before: Call, read: ReadPart) -> bool:
    if any(part.role in COMPACTION_ITEMS for part in call.messages):
        return True
    if call.window_id and before.window_id and call.window_id != before.window_id:
        return call.window_id.rpartition(":")[0] == before.window_id.rpartition(":")[0]
    return any(COMPACTED_TEXT in str(read(part)) for part in call.spoken[:1])


def new_messages(turn: Turn) -> list[Part]:
    """What a turn says beyond what its parent said and was answered: the answer comes back as a message first."""
    call, parent = turn.answer, turn.parent
    if parent is None or Mark.COMPACTION in turn.marks:
        return call.messages
    said = {part.digest for attempt in parent.attempts for part in attempt.call.messages}
    fresh = [part for part in call.messages if part.digest not in said]
    if parent.answer.reply is None:
        return fresh
    return list(dropwhile(lambda part: part.role in ANSWERS or part.role.endswith("_call"), fresh))
