"""The pages of one request: a tab at a time, its exact bytes, its pictures, and copies of it in other words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.access import Viewer, guarded, refuse
from dashboard.pages import Need
from dashboard.queries import copying
from dashboard.queries import request as reading
from dashboard.queries.grades import read_grade
from dashboard.queries.pins import pins_of
from dashboard.queries.raw import raw_response
from dashboard.queries.replaying import may_replay
from dashboard.rendering.blocks import PICTURES
from dashboard.shell import show
from dashboard.views.landing import base_url
from gateway.history.transcript.blocks import Media
from gateway.history.transcript.media import find_media
from gateway.history.veil import current, curtain_of
from gateway.models import RequestLog

TABS: Final = (
    ("messages", "Messages"),
    ("raw", "Raw"),
    ("timeline", "Timeline"),
    ("headers", "Headers"),
    ("limits", "Limits"),
    ("cost", "Cost"),
    ("related", "Related"),
    ("grade", "Grade"),
)
OF_WORDS: Final = frozenset({"messages", "raw", "grade"})
"""What only those see who may read prompts and answers."""
HOLDS: Final = "gateway.add_legalhold"
ERASED: Final = "gateway.view_erasurecertificate"
COPIES: Final = {"curl": "cURL", "json": "JSON", "markdown": "Markdown"}


@require_safe
@guarded(Need.FIGURES)
def request_detail(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    row = reading.find_request(viewer.rows, request_id)
    if row is None:
        missing = {"request_id": request_id} | pins_of(viewer, request_id)
        # What is pinned was there.
        was_there = missing["pin"] or missing["others"]
        missing["may_come"] = not was_there and reading.may_come(request_id)
        return show(request, viewer, "requests", "dashboard/request/missing.html", missing, status=404)
    reads = viewer.rows.reads(row.team)
    tabs = [(name, title) for name, title in TABS if reads or name not in OF_WORDS]
    asked = request.GET.get("tab", "")
    tab = asked if asked in dict(tabs) else tabs[0][0]
    context = reading.read_head(row) | pins_of(viewer, row.id)
    context |= {"tab": tab, "tabs": tabs, "reads": reads, "copies": COPIES.items() if reads else ()}
    context |= {"permalink": permalink(request, row, tab if tab != tabs[0][0] else "")}
    context |= {"may_see_erased": viewer.user.has_perm(ERASED)}
    context |= {"may_replay": may_replay(viewer, row), "may_hold": viewer.user.is_staff and viewer.user.has_perm(HOLDS)}
    return show(
        request, viewer, "requests", "dashboard/request/detail.html", context | read_tab(request, viewer, row, tab)
    )


def permalink(request: HttpRequest, row: RequestLog, tab: str) -> str:
    """The page's own address, with host: the tab is part of it, and nothing else that was asked for."""
    query = f"?{urlencode({'tab': tab})}" if tab else ""
    return request.build_absolute_uri(reverse("d:request", args=[row.id]) + query)


@require_safe
@guarded(Need.FIGURES)
def request_there(request: HttpRequest, viewer: Viewer, request_id: UUID) -> JsonResponse:
    """`there`: whether the viewer's history holds it by now. Not a reading of it, and so not written down as one."""
    there = reading.find_request(viewer.rows, request_id) is not None
    return JsonResponse({"there": there}, headers={"Cache-Control": "no-store"})


@require_safe
@guarded(Need.FIGURES)
def request_peek(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    """For the drawer beside a list: the figures, the last message and the answer."""
    row = find(viewer, request_id)
    reads = viewer.rows.reads(row.team)
    context = reading.read_head(row) | {"reads": reads}
    if reads:
        context |= read_tab(request, viewer, row, "messages", reverse("d:request", args=[row.id]))
    return render(request, "dashboard/request/peek.html", context)


def read_tab(request: HttpRequest, viewer: Viewer, row: RequestLog, tab: str, here: str = "") -> dict[str, Any]:
    def address(found: Media) -> str:
        return reverse("d:request_media", args=[row.id, found.digest])

    readers: dict[str, Callable[[], dict[str, Any]]] = {
        "messages": lambda: reading.read_messages(row, request.GET.dict(), address, here),
        "raw": lambda: reading.read_raw(row, request.GET.get("form", "")),
        "timeline": lambda: reading.read_timeline(row),
        "headers": lambda: reading.read_headers(row),
        "limits": lambda: reading.read_limits(row) | {"quota": reverse("d:quota")},
        "cost": lambda: reading.read_cost(row),
        "related": lambda: reading.read_related(row, viewer.rows),
        "grade": lambda: read_grade(row.id),
    }
    return readers[tab]()


@require_safe
@guarded(Need.ROWS)
def request_raw(request: HttpRequest, viewer: Viewer, request_id: UUID, part: str) -> HttpResponse:
    """The exact bytes, as a download that no browser runs."""
    row = find(viewer, request_id)
    if not viewer.rows.reads(row.team):
        return refuse(request)
    if curtain_of(row.team) is not None:
        return render(request, "dashboard/hidden.html", {"veil": current.get(), "row": row}, status=403)
    response = raw_response(row.id, part)
    if response is None:
        raise Http404("The history holds no such bytes.")
    return response


@require_safe
@guarded(Need.ROWS)
def request_media(request: HttpRequest, viewer: Viewer, request_id: UUID, digest: str) -> HttpResponse:
    """A picture of the request, as nothing but a picture."""
    row = find(viewer, request_id)
    if not viewer.rows.reads(row.team):
        return refuse(request)
    data = find_media(reading.read_request_body(row), digest)
    kind = picture_type(data) if data else None
    if data is None or kind is None:
        raise Http404("The request holds no such picture.")
    response = HttpResponse(data, content_type=kind)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = f'inline; filename="turnlog-{digest}.{PICTURES[kind]}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def picture_type(data: bytes) -> str | None:
    """By its first bytes, whatever its sender called it."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


@require_safe
@guarded(Need.ROWS)
def request_copy(request: HttpRequest, viewer: Viewer, request_id: UUID, form: str) -> HttpResponse:
    """The request as cURL, JSON or Markdown, for the clipboard."""
    row = find(viewer, request_id)
    if not viewer.rows.reads(row.team):
        return refuse(request)
    writers: dict[str, Callable[[], str]] = {
        "curl": lambda: copying.as_curl(row, base_url(request), reverse("d:request_raw", args=[row.id, "request"])),
        "json": lambda: copying.as_json(row),
        "markdown": lambda: copying.as_markdown(row),
    }
    if form not in writers:
        raise Http404("It can be copied as curl, json or markdown.")
    return plain(writers[form]())


def plain(text: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["X-Content-Type-Options"] = "nosniff"
    return response


def find(viewer: Viewer, request_id: UUID) -> RequestLog:
    row = reading.find_request(viewer.rows, request_id)
    if row is None:
        raise Http404("The history holds no request of this id.")
    return row
