"""`/requests…`: lists without bodies, and one request whole."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from django.conf import settings
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from ninja import Query

from gateway.history.erasure import Erasure, selected
from gateway.models import ErasureCertificate
from gateway.read_api.access import Caller, Refused, by_permission, caller_of
from gateway.read_api.application import NARROWED, REFUSED, Error, api
from gateway.read_api.grading import NO_REQUEST
from gateway.read_api.listing import Narrowed, read_page
from gateway.read_api.request_shapes import (
    LIST_COLUMNS,
    SUMMARY_COLUMNS,
    Erased,
    LatestDate,
    OneRequest,
    RequestLogs,
    RequestSummaries,
    summary,
)
from gateway.read_api.spans import Text
from gateway.read_api.whole_request import bare_request, listed_request, whole_request
from gateway.recording.erasing import erase_everywhere

MOST_ERASED = 2_000
"""A request waits for no more; a command may take its time."""
ERASES = "gateway.add_erasurecertificate"


@api.get(
    "/requests",
    response={200: RequestLogs, **NARROWED},
    exclude_none=True,
    summary="A page of requests, newest first, without headers and bodies",
)
def requests(
    request: HttpRequest, narrowed: Query[Narrowed], limit: Annotated[int, Query(ge=1, le=500)] = 10
) -> dict[str, Any]:
    return read_page(caller_of(request).figures, narrowed, limit, LIST_COLUMNS, listed_request)


@api.get(
    "/requests/summary",
    response={200: RequestSummaries, **NARROWED},
    exclude_none=True,
    summary="A page of requests, newest first, as little as lists need",
)
def requests_summary(
    request: HttpRequest, narrowed: Query[Narrowed], limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> dict[str, Any]:
    return read_page(caller_of(request).figures, narrowed, limit, SUMMARY_COLUMNS, summary)


@api.get(
    "/requests/latest-date",
    response={200: LatestDate, **REFUSED},
    exclude_none=True,
    summary="When the newest request began",
)
def latest_date(request: HttpRequest) -> dict[str, Any]:
    rows = caller_of(request).figures.requests()
    newest = rows.order_by("-id").values_list("started_at", flat=True).first()
    return {"latestDate": newest.isoformat() if newest else None}


@api.get(
    "/requests/{uuid:request_id}",
    response={200: OneRequest, 404: Error, **NARROWED},
    summary="One request with its headers, bodies and answer",
)
def one_request(request: HttpRequest, request_id: uuid.UUID, chunks: bool = False) -> Any:
    """Another team's and one that was never made look the same. `chunks`: the answer also as the chunks it came in."""
    caller = caller_of(request)
    row = caller.figures.requests().select_related("response", "header_record", "chunk_timing")
    found = row.filter(id=request_id).first()
    if found is None:
        raise Refused(404, *NO_REQUEST)
    readable = caller.sight.reads(found.team)
    told = whole_request(found, chunks=chunks) if readable else bare_request(found)
    # As it is: a body may hold what no schema does.
    return api.create_response(request, told | {"fullId": str(found.id), "bodiesHidden": not readable}, status=200)


@api.delete(
    "/requests",
    auth=by_permission(ERASES, admins=True),
    response={200: Erased, 400: Error, 409: Error, **NARROWED},
    summary="Erase what a session, a key, a person or a team made",
)
def erase_requests(
    request: HttpRequest,
    reason: Annotated[str, Query(min_length=1, max_length=500, pattern=r"^[^\x00]*$")],
    session: Text = "",
    key: Text = "",
    user: Text = "",
    team: Text = "",
) -> dict[str, Any]:
    """For good, with a certificate of what was erased and by whom. Exactly one of the four says what goes; what a hold
    keeps stays."""
    asked = {"session": session, "access_key": key, "user": user, "team": team}
    chosen = {name: value for name, value in asked.items() if value}
    if len(chosen) != 1:
        raise Refused(400, "Say what is to be erased.", "Exactly one of session, key, user and team.")
    if selected(chosen).values("pk")[: MOST_ERASED + 1].count() > MOST_ERASED:
        told = f"More than {MOST_ERASED:,} requests are more than one call erases."
        raise Refused(409, told, "Erase them with: manage.py history erase")
    certificate = ErasureCertificate()
    spool = settings.TURNLOG.data_dir / "spool"
    for step in erase_everywhere(Erasure(chosen, caller_of(request).name, reason), spool):
        if isinstance(step, ErasureCertificate):
            certificate = step
    write_down(caller_of(request), certificate, chosen)
    return {
        "message": "Erased for good.",
        "deleted": certificate.exchanges,
        "held": certificate.held,
        "certificate": certificate.pk,
    }


def write_down(caller: Caller, certificate: ErasureCertificate, chosen: dict[str, str]) -> None:
    """In the admin's log, which the audit log listens to."""
    LogEntry.objects.create(
        user=caller.user,
        content_type=ContentType.objects.get_for_model(ErasureCertificate),
        object_id=str(certificate.pk),
        object_repr=str(certificate)[:200],
        action_flag=ADDITION,
        change_message=f"Erased by the API: {', '.join(f'{name} {value}' for name, value in chosen.items())}",
    )
