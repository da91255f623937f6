"""A session as a tree: the main agent, the agents it started, and their turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.dialects.json_values import object_or_none
from gateway.dialects.tool_calls import tool_calls
from gateway.history.conversation.attempts import block_texts
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.prompts import PromptReader
from gateway.history.conversation.turns import Turn

SHORTEST_TASK: Final = 20
"""Characters of a text by which an agent's task is recognised in what started it."""


@dataclass(slots=True)
class Agent:
    """`id` is None for the main agent. `started_by` is the turn of its parent that started it, if that can be told."""

    id: str | None
    parent_id: str | None
    turns: list[Turn] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)
    started_by: Turn | None = None


def agents_of(loaded: Loaded) -> list[Agent]:
    """The agents nobody started, the main one first, with the others below them."""
    known: dict[str | None, Agent] = {}
    for turn in loaded.turns:
        agent = known.setdefault(turn.agent_id, Agent(turn.agent_id, turn.first.parent_agent_id))
        agent.parent_id = agent.parent_id or turn.first.parent_agent_id
        agent.turns.append(turn)
    roots = []
    for agent in sorted(known.values(), key=lambda agent: agent.id is not None):
        parent = parent_of(agent, known)
        if parent is None:
            roots.append(agent)
        else:
            parent.agents.append(agent)
            agent.started_by = starter(parent, agent, loaded.reader)
    return roots


def parent_of(agent: Agent, known: dict[str | None, Agent]) -> Agent | None:
    """The agent the headers name; without a name, or when it said nothing itself, the main one."""
    if agent.id is None:
        return None
    parent = known.get(agent.parent_id) or known.get(None)
    return None if parent is agent or below(parent, agent, known) else parent


def below(agent: Agent | None, other: Agent, known: dict[str | None, Agent]) -> bool:
    """Whether `agent` was itself started by `other`: headers may say anything, also a circle."""
    seen: set[str | None] = set()
    while agent is not None and agent.id not in seen:
        if agent is other:
            return True
        seen.add(agent.id)
        agent = known.get(agent.parent_id) if agent.parent_id is not None else None
    return False


def starter(parent: Agent, agent: Agent, reader: PromptReader) -> Turn | None:
    """The parent's turn whose answer holds the agent's task; else the newest one before the agent's first."""
    first = agent.turns[0].first
    before = [turn for turn in parent.turns if turn.first.started_at <= first.started_at]
    task = "\n".join(text for part in first.spoken[:1] for text in block_texts(reader.read(part)))
    for turn in reversed(before):
        reply = turn.answer.reply
        calls = tool_calls(reader.value(reply)) if reply is not None else ()
        if any(len(text) >= SHORTEST_TASK and text in task for call in calls for text in texts_in(call.input)):
            return turn
    return before[-1] if before else None


def texts_in(value: Any) -> list[str]:
    return [text.strip() for text in (object_or_none(value) or {}).values() if isinstance(text, str)]


def walk(agents: Sequence[Agent], depth: int = 0) -> Iterator[tuple[int, Agent]]:
    """Each agent after the one that started it, with its depth."""
    for agent in agents:
        yield depth, agent
        yield from walk(agent.agents, depth + 1)
