"""One table: what a broken exchange with a provider means to the edge.

The edge builds the caller's envelope from `status` and `kind`, and its message from `describe`. Once the head has been
relayed only `outcome` matters: the stream is then cut or ended by the dialect's error event.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from gateway.dialects.names import Outcome
from gateway.upstream.failures import (
    BodyTimedOut,
    BrokenAnswer,
    ConnectTimedOut,
    HeadersTimedOut,
    Phase,
    ReadBroken,
    Unreachable,
    UnsendableRequest,
    UpstreamFailure,
    WriteBroken,
    WriteTimedOut,
)

Kind = Literal["api_error", "timeout_error", "invalid_request_error"]


class Fault(NamedTuple):
    """`kind` is the error type of Anthropic's envelope; the other dialects map it."""

    status: int
    kind: Kind
    outcome: Outcome


FAULTS: dict[type[UpstreamFailure], Fault] = {
    Unreachable: Fault(502, "api_error", Outcome.UPSTREAM_ABORTED),
    # Nobody took the connection: unreachable, however long it took to know.
    ConnectTimedOut: Fault(502, "api_error", Outcome.UPSTREAM_ABORTED),
    WriteTimedOut: Fault(504, "timeout_error", Outcome.UPSTREAM_STALLED),
    HeadersTimedOut: Fault(504, "timeout_error", Outcome.UPSTREAM_STALLED),
    BodyTimedOut: Fault(504, "timeout_error", Outcome.UPSTREAM_STALLED),
    WriteBroken: Fault(502, "api_error", Outcome.UPSTREAM_ABORTED),
    ReadBroken: Fault(502, "api_error", Outcome.UPSTREAM_ABORTED),
    BrokenAnswer: Fault(502, "api_error", Outcome.UPSTREAM_ABORTED),
    UnsendableRequest: Fault(400, "invalid_request_error", Outcome.DENIED),
}


def fault_of(failure: UpstreamFailure) -> Fault:
    return FAULTS[type(failure)]


PHASES: dict[Phase, str] = {
    "connect": "while connecting",
    "write": "while sending the request",
    "headers": "while waiting for the answer",
    "body": "inside the answer",
}


def describe(failure: UpstreamFailure, provider: str, seconds: float) -> str:
    """One sentence for a person: which provider, in which phase, why, after how many seconds."""
    return f"{provider} failed {PHASES[failure.phase]} after {seconds:.1f} s: {failure.reason}."
