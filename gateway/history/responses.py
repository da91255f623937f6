"""A response a caller comes back to, made again from the history: for a host that did not keep it itself."""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.db import DatabaseError, InterfaceError, close_old_connections

from gateway.dialects.accumulate import accumulate
from gateway.dialects.content import decode_body
from gateway.dialects.names import Dialect, Outcome
from gateway.dialects.responses.continuation import KeptResponse, own_input, read_continuation
from gateway.dialects.turn import Refused
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_request
from gateway.history.translated import rebuild_got
from gateway.models import RequestLog


def find_response(access_key: str, response_id: str) -> KeptResponse | None:
    """The response of that id, if `access_key` made it and let it be stored. Blocking; None too when the database
    cannot be asked."""
    try:
        return _find(access_key, UUID(response_id.removeprefix("resp_")))
    except (ValueError, NotInHistory, Damaged, Refused, DatabaseError, InterfaceError):
        return None
    finally:
        close_old_connections()


def _find(access_key: str, request_id: UUID) -> KeptResponse | None:
    row = RequestLog.objects.filter(
        id=request_id, access_key=access_key, dialect=Dialect.RESPONSES, outcome=Outcome.COMPLETED
    ).first()
    if row is None:
        return None
    codings = [value for name, value in row.header_record.request_pairs if name.lower() == "content-encoding"]
    body = decode_body(", ".join(codings), rebuild_request(row.id)).data
    wanted = read_continuation(body)
    if wanted is None or not wanted.keeps:
        return None
    response = accumulate(Dialect.RESPONSES, "", "", rebuild_got(row.id)).message
    if response is None or response.get("object") != "response":
        return None
    return KeptResponse(wanted.previous, own_input(body), msgspec.Raw(msgspec.json.encode(response)))
