"""A response a caller comes back to, made again from the history: for a host that did not keep it itself; and which
responses were deleted, on whatever host."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import DatabaseError, InterfaceError, close_old_connections

from gateway.dialects.accumulate import accumulate
from gateway.dialects.content import decode_body
from gateway.dialects.names import Dialect, Outcome
from gateway.dialects.responses.continuation import KeptResponse, own_input, read_continuation
from gateway.dialects.responses.response_object import response_id
from gateway.dialects.turn import Refused
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_request
from gateway.history.translated import rebuild_got
from gateway.models import RequestLog, WithdrawnResponse

LONGEST_WAIT: Final = 1.0
_ASKING: Final = ThreadPoolExecutor(1, "withdrawn")


def find_response(access_key: str, response_id: str) -> KeptResponse | None:
    """The response of that id, if `access_key` made it and let it be stored. Blocking; None too when the database
    cannot be asked."""
    try:
        return _find(access_key, id_in(response_id))
    except (ValueError, NotInHistory, Damaged, Refused, DatabaseError, InterfaceError):
        return None
    finally:
        close_old_connections()


def withdraw_response(response_id: str) -> bool:
    """No host is to find it any more. Blocking; False when the database cannot be told."""
    try:
        WithdrawnResponse.objects.bulk_create([WithdrawnResponse(id_in(response_id))], ignore_conflicts=True)
    except (DatabaseError, InterfaceError):
        return False
    finally:
        close_old_connections()
    return True


def find_withdrawn(response_ids: Sequence[str]) -> set[str]:
    """Those of these that were withdrawn. Waits a second at most: where the database does not say, none was."""
    asked = _ASKING.submit(_find_withdrawn, {id_in(response_id): response_id for response_id in response_ids})
    try:
        return asked.result(LONGEST_WAIT)
    except (TimeoutError, DatabaseError, InterfaceError):
        asked.cancel()
        return set()


def _find_withdrawn(names: dict[UUID, str]) -> set[str]:
    try:
        found = WithdrawnResponse.objects.filter(exchange_id__in=names).values_list("exchange_id", flat=True)
        return {names[id] for id in found}
    finally:
        close_old_connections()


def withdrawn_since(moment: datetime) -> set[str] | None:
    """Ids of responses that were withdrawn, or erased, since then. Blocking; None when the database does not say."""
    try:
        ids = WithdrawnResponse.objects.filter(withdrawn_at__gte=moment).values_list("exchange_id", flat=True)
        return {response_id(str(id)) for id in ids}
    except (DatabaseError, InterfaceError):
        return None
    finally:
        close_old_connections()


def id_in(response_id: str) -> UUID:
    """Of the exchange that made a response of ours."""
    return UUID(response_id.removeprefix("resp_"))


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
