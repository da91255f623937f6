"""What it takes to send an exchange's bytes once more."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from gateway.dialects.names import Outcome
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_sent_request
from gateway.models import RequestLog

CREDENTIAL_HEADERS = (b"authorization", b"x-api-key")
NOT_SENT_AGAIN = frozenset(
    {
        *CREDENTIAL_HEADERS, b"x-turnlog-key", b"host", b"content-length", b"transfer-encoding", b"connection",
        b"keep-alive", b"expect", b"cookie", b"proxy-authorization",
    }
)  # fmt: skip
"""Secrets, of which only fingerprints are kept, and what belonged to that connection."""

NOT_WHOLE = frozenset(
    {
        "lost_body", "lost_disk", "lost_backlog", "recorder_fault", "metadata", "capped", "masked", "mask_failed",
    }
)  # fmt: skip
"""Why the request's bytes, as they went out, are not in the history."""


class NotReplayable(Exception):
    """Why it cannot be sent again."""


@dataclass(frozen=True, slots=True)
class Replay:
    """`body` is what the provider got; `credential_header` the one the caller's credential came in."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    provider: str
    credential_header: bytes


def plan_replay(exchange_id: uuid.UUID) -> Replay:
    """Raises NotReplayable and NotInHistory."""
    row = RequestLog.objects.select_related("header_record", "response").filter(id=exchange_id).first()
    if row is None:
        raise NotInHistory(f"there is no exchange {exchange_id} in the history")
    if not row.path.startswith("/"):
        raise NotReplayable(f"its path is none of an HTTP request: {row.path[:100]}")
    if row.outcome == Outcome.DENIED:
        raise NotReplayable("it was refused here and never sent")
    if row.capture in NOT_WHOLE:
        raise NotReplayable(f"its bytes were not all kept: {row.capture}")
    if getattr(row, "response", None) is not None and row.response.translation:
        raise NotReplayable("it was translated for its provider; only what was relayed can be replayed")
    try:
        body = rebuild_sent_request(exchange_id)
    except Damaged as damage:
        raise NotReplayable(str(damage)) from damage
    if not body and row.request_bytes:
        raise NotReplayable("its bytes were not kept")
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in row.header_record.request_pairs]
    used = [name.lower() for name, _ in pairs if name.lower() in CREDENTIAL_HEADERS]
    return Replay(
        method=row.method,
        target=f"{row.path}?{row.query}" if row.query else row.path,
        headers=[(name, value) for name, value in pairs if name.lower() not in NOT_SENT_AGAIN],
        body=body,
        provider=row.provider,
        credential_header=used[0] if used else CREDENTIAL_HEADERS[1],
    )
