"""One warning for each request the provider did not answer as it should, with what a person needs to find out why.

Nothing of it is computed before something has failed. No body and no secret is in it: the query and the betas pass
through the redactor of the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.upstream.failures import UpstreamFailure

if TYPE_CHECKING:
    from gateway.api.request import GatewayRequest

LONGEST_TEXT = 200

log = structlog.get_logger(__name__)


def log_failed_forward(request: GatewayRequest, failure: UpstreamFailure, elapsed_us: int) -> None:
    """`elapsed_us` since the attempt began; within an answer since the admission. Raises nothing."""
    try:
        facts = request.facts
        envelope = facts.envelope if facts else None
        targets = facts.plan.targets if facts else ()
        lease = request.stream.lease if request.stream else None
        provider = lease.provider if lease else targets[0].provider if targets else None
        log.warning(
            "forward failed",
            request_id=request.id_text,
            method=request.method,
            path=one_line(request.path),
            query=query_of(request),
            provider=provider.name if provider else None,
            model=one_line(envelope.model) if envelope else None,
            stream=envelope.stream if envelope else None,
            has_thinking=envelope.has_thinking if envelope else None,
            body_bytes=facts.body_bytes if facts else None,
            anthropic_beta=betas_of(request),
            phase=failure.phase,
            elapsed=round(elapsed_us / 1e6, 3),
            cause=one_line(failure.reason),
            client_left=request.client_gone,
        )
    except Exception:
        log.exception("a failed forward could not be told", request_id=request.id_text)


def query_of(request: GatewayRequest) -> str | None:
    _, _, query = request.target.partition(b"?")
    return one_line(request.runtime.redactor.query(query.decode("latin-1"))) if query else None


def betas_of(request: GatewayRequest) -> str | None:
    betas = [pair for pair in request.pairs if pair[0] == b"anthropic-beta"]
    values = (value.decode("latin-1") for _, value in request.runtime.redactor.headers(betas))
    return one_line(",".join(values)) if betas else None


def one_line(text: str | None) -> str | None:
    """What a client sent must neither begin a line of its own nor command a terminal."""
    if text is None:
        return None
    short = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
    return short if short.isprintable() else ascii(short)
