"""One session of a coding agent as its requests: turns that resend everything, subagents, errors, compactions."""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.demo.answers import error_body, message_stream
from gateway.demo.people import Caller
from gateway.demo.texts import Texts
from gateway.demo.tool_calls import TOOLS, ToolCalls
from gateway.dialects.json_values import JSONObject

SYSTEM = "You are a coding agent. Work in small steps, run the tests, and say what you changed. " * 40
COMPACTED_AT = 60
COMPACTED = "This session is being continued from a previous conversation that ran out of context."
BYTES_OF_A_TOKEN = 4
FAULTS = ((0.012, 529, "overloaded_error", "Overloaded"), (0.006, 429, "rate_limit_error", "Too many requests"))
CUT = 0.008


@dataclass(slots=True)
class Turn:
    """One request and what came of it; times in milliseconds from its start."""

    at: datetime.datetime
    caller: Caller
    session_id: str
    agent_id: str | None
    parent_agent_id: str | None
    body: JSONObject
    status: int
    chunks: list[bytes]
    outcome: str
    first_ms: int
    gap_ms: int


@dataclass(slots=True)
class Session:
    caller: Caller
    at: datetime.datetime
    source: random.Random
    texts: Texts
    agent_id: str | None = None
    parent_agent_id: str | None = None
    messages: list[JSONObject] = field(default_factory=list)
    cached: int = 0
    session_id: str = ""
    task: str = ""
    """What it begins with; empty: anything."""

    def turns(self, count: int) -> Iterator[Turn]:
        self.session_id = self.session_id or str(uuid.UUID(int=self.source.getrandbits(128)))
        self.messages = [{"role": "user", "content": self.task or self.texts.ask()}]
        for number in range(count):
            yield from self._failed()
            content, stop = self._answer(last=number == count - 1)
            yield self._answered(content, stop)
            self._go_on(content)
            if content[-1].get("name") == "Task":
                yield from self._subagent(content[-1]["input"]["prompt"])
            if len(self.messages) > COMPACTED_AT:
                self.messages = [{"role": "user", "content": f"{COMPACTED} {self.texts.say()} {self.texts.say()}"}]
                self.cached = 0

    def _answer(self, *, last: bool) -> tuple[list[JSONObject], str]:
        said: JSONObject = {"type": "text", "text": self.texts.say()}
        if last or self.source.random() < 0.15:
            return [said], "end_turn"
        name = self.source.choice(TOOLS)
        given = ToolCalls(self.source, self.texts).given(name)
        use = {"type": "tool_use", "id": f"toolu_{self.source.getrandbits(96):024x}", "name": name, "input": given}
        return [said, use], "tool_use"

    def _answered(self, content: list[JSONObject], stop: str) -> Turn:
        body = self._body()
        size = sum(len(str(message["content"])) for message in self.messages) + 40_000
        total, written = size // BYTES_OF_A_TOKEN, 0
        written, self.cached, read = total - self.cached, total, self.cached
        usage = {
            "input_tokens": self.source.randrange(3, 30),
            "cache_creation_input_tokens": max(0, written),
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": max(0, written), "ephemeral_1h_input_tokens": 0},
            "output_tokens": sum(len(str(block)) for block in content) // BYTES_OF_A_TOKEN,
            "service_tier": "standard",
        }
        chunks = message_stream(self.caller.model, content, usage, stop)
        if self.source.random() < CUT:
            return self._turn(body, 200, chunks[: len(chunks) // 2], "client_disconnected")
        return self._turn(body, 200, chunks, "completed")

    def _failed(self) -> Iterator[Turn]:
        for chance, status, kind, message in FAULTS:
            if self.source.random() < chance:
                yield self._turn(self._body(), status, [error_body(kind, message)], "upstream_error")

    def _turn(self, body: JSONObject, status: int, chunks: list[bytes], outcome: str) -> Turn:
        first, gap = int(self.source.lognormvariate(6.8, 0.5)), self.source.randrange(8, 60)
        turn = Turn(
            self.at, self.caller, self.session_id, self.agent_id, self.parent_agent_id, body, status, chunks, outcome,
            first, gap,
        )  # fmt: skip
        pause = first + gap * len(chunks) + int(self.source.expovariate(1 / 9_000))
        self.at += datetime.timedelta(milliseconds=pause)
        return turn

    def _go_on(self, content: list[JSONObject]) -> None:
        self.messages.append({"role": "assistant", "content": content})
        use = content[-1]
        if use["type"] != "tool_use":
            self.messages.append({"role": "user", "content": self.texts.ask()})
            return
        failed = self.source.random() < 0.06
        said = "Error: no such file" if failed else ToolCalls(self.source, self.texts).answer(use["name"])
        result: JSONObject = {"tool_use_id": use["id"], "type": "tool_result", "content": said}
        self.messages.append({"role": "user", "content": [{**result, "is_error": True} if failed else result]})

    def _subagent(self, task: str) -> Iterator[Turn]:
        if self.agent_id is None:
            child = Session(
                self.caller, self.at, self.source, self.texts, f"a{self.source.getrandbits(64):016x}", "main"
            )
            child.session_id, child.task = self.session_id, task
            yield from child.turns(self.source.randrange(1, 5))
            self.at = child.at

    def _body(self) -> JSONObject:
        marked = dict(self.messages[-1])
        content: Any = marked["content"]
        blocks: list[JSONObject] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else [dict(block) for block in content]
        )
        blocks[-1]["cache_control"] = {"type": "ephemeral"}
        return {
            "model": self.caller.model,
            "messages": [*self.messages[:-1], {**marked, "content": blocks}],
            "system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
            "tools": TOOL_LIST,
            "max_tokens": 32_000,
            "metadata": {"user_id": f'{{"session_id": "{self.session_id}"}}'},
            "stream": True,
        }


def tool(name: str) -> JSONObject:
    schema = {"type": "object", "properties": {"query": {"type": "string"}, "file_path": {"type": "string"}}}
    about = " ".join(
        f"{name} works on one file or query at a time, see rule {rule} of the manual." for rule in range(12)
    )
    return {"name": name, "description": about, "input_schema": schema}


TOOL_LIST = [tool(name) for name in TOOLS]
