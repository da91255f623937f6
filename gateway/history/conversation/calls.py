"""One model call as conversations are made of it. Plain values: nothing in here knows the database."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from gateway.dialects.names import Outcome
from gateway.dialects.request_parts import PartKind

TURN_PATHS: Final = ("/messages", "/chat/completions", "/responses")


@dataclass(frozen=True, slots=True)
class Part:
    """One tool, system block or message. `digest` is that of what it says, `blob` of the bytes that say it."""

    kind: PartKind
    digest: bytes
    blob: bytes
    role: str = ""
    """Of a message; of a Responses item that is none, its type."""
    size: int = 0
    """Bytes of the blob."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """The client asks for the prompt up to part `position` (counted from 0 over all parts, included) to be cached."""

    position: int
    ttl: str = "5m"


@dataclass(frozen=True)
class Call:
    """A request to a model and what came of it. None: unknown."""

    id: uuid.UUID
    started_at: datetime.datetime
    dialect: str = "anthropic"
    path: str = "/v1/messages"
    session_id: str | None = None
    agent_id: str | None = None
    parent_agent_id: str | None = None
    provider: str = ""
    prompt_id: str | None = None
    request_class: str | None = None
    window_id: str | None = None
    client: str = ""
    client_version: str = ""
    requested_model: str | None = None
    model: str | None = None
    betas: Sequence[str] = ()
    is_streaming: bool | None = None
    status_code: int | None = None
    outcome: str = Outcome.COMPLETED
    stop_reason: str | None = None
    stream_error: str | None = None
    error_message: str | None = None
    duration_ms: float | None = None
    first_byte_ms: float | None = None
    organization_id: str | None = None
    usage: Mapping[str, Any] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    """Of those written, kept for an hour."""
    service_tier: str | None = None
    speed: str | None = None
    cost_usd: Decimal | None = None
    attempts: Sequence[Mapping[str, Any]] = ()
    """The gateway's own tries to reach a provider."""
    parts: Sequence[Part] = ()
    """In the order tools, system, messages."""
    breakpoints: Sequence[Breakpoint] = ()
    reply: bytes | None = None
    """The blob of the answer's message."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The request's other members, such as `thinking` and `tool_choice`."""

    @property
    def answered(self) -> bool:
        """The model came to an end of its own, and the client was there to hear it."""
        return self.outcome == Outcome.COMPLETED and self.stop_reason is not None

    @property
    def cut(self) -> bool:
        """The answer had begun, and broke off on the provider's side."""
        began = self.status_code == 200 and self.stop_reason is None
        return began and self.outcome in (Outcome.COMPLETED, Outcome.UPSTREAM_ABORTED, Outcome.UPSTREAM_STALLED)

    @cached_property
    def messages(self) -> list[Part]:
        return [part for part in self.parts if part.kind is PartKind.MESSAGE]

    @cached_property
    def spoken(self) -> list[Part]:
        """The messages without the system's and developer's among them: a client writes those anew as it likes."""
        return [part for part in self.messages if part.role not in ("system", "developer")]

    @property
    def ended_at(self) -> datetime.datetime | None:
        if self.duration_ms is None:
            return None
        return self.started_at + datetime.timedelta(milliseconds=self.duration_ms)


def is_turn(path: str) -> bool:
    """Whether calls of this path ask a model for an answer; counting tokens does not."""
    return path.endswith(TURN_PATHS)
