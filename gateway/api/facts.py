"""What is known of a request while it is decided where it goes; what it was refused for is recorded with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from gateway.dialects.request_facts import Envelope, Patch
from gateway.policy.access import Admitted, Presented, Treatment
from gateway.policy.errands import Errand
from gateway.policy.header_ways import HeaderRules
from gateway.policy.routing import Plan
from gateway.policy.snapshot import Caller

if TYPE_CHECKING:
    from gateway.api.keeping import Keeping
    from gateway.api.own_ways import Answering
    from gateway.api.request import GatewayRequest

NO_ENVELOPE = Envelope()
NO_PLAN = Plan(())
AGENT_HEADERS = (b"x-claude-code-agent-id", b"x-openai-subagent")
CONVERSATION_HEADERS = (b"x-claude-code-session-id", b"session_id", b"session-id", b"x-session-id")


class Bodies(NamedTuple):
    """Of one request, as in `Facts`."""

    sent: bytes
    plain: bytes | None
    continued: bytes


@dataclass(slots=True)
class Facts:
    presented: Presented
    admitted: Admitted | None = None
    envelope: Envelope = NO_ENVELOPE
    plan: Plan = NO_PLAN
    treatments: list[Treatment] = field(default_factory=list)
    """Which credential each target of the plan is to see."""
    body: bytes = b""
    """Empty once it was handed over, as are the next two: nothing of ours may hold it while the answer streams."""
    plain: bytes | None = None
    """The body without its content coding; None: it cannot be undone."""
    continued: bytes = b""
    """The body with the conversation it continues in front, for targets that are translated for."""
    body_bytes: int = 0
    keeping: Keeping | None = None
    own: Answering | None = None
    """What answers without a provider."""
    errand: Errand | None = None
    """What Turnlog itself sent it for."""
    handling: str = ""
    """What the record says of a request that was not simply passed on."""
    changes: list[Patch] = field(default_factory=list)
    """What of the body is replaced for targets that speak the caller's dialect: a stream is asked for where the route
    demotes, and a response of ours that is gone on from is told in full."""

    header_rules: HeaderRules | None = None
    """None: headers go as they are."""

    def hand_over(self) -> Bodies:
        bodies = Bodies(self.body, self.plain, self.continued)
        self.body, self.plain, self.continued = b"", None, b""
        return bodies

    @property
    def caller(self) -> Caller | None:
        return self.admitted.caller if self.admitted is not None else None

    @property
    def is_debugged(self) -> bool:
        """Every decision about it is to be logged."""
        caller = self.caller
        return caller is not None and caller.debug_until > 0.0 and caller.debug_until > time.time()

    def conversation(self, request: GatewayRequest) -> str:
        """What the turns of one conversation have in common; empty: nothing is known to be."""
        return first_of(CONVERSATION_HEADERS, request)

    def agent(self, request: GatewayRequest) -> str:
        """Which subagent sent it; empty: none, as far as is known."""
        return first_of(AGENT_HEADERS, request)


def first_of(names: tuple[bytes, ...], request: GatewayRequest) -> str:
    """The value of the first of these headers that is there; else empty."""
    return next((value.decode("latin-1") for name in names if (value := request.header(name))), "")
