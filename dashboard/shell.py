"""What stands around every page: the side bar, the scope, who is signed in. A view ends with `show`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.access import Viewer
from dashboard.pages import BY_NAME, PAGES, Need, Page
from dashboard.queries.notices import Notice, read_notices
from dashboard.scope import COLUMNS, RANGES, TIME, TIME_FIELDS, Scope
from dashboard.veiling import reveal_address
from gateway.admin.facets import values_seen
from gateway.history.veil import current
from gateway.history.visibility import Sight
from gateway.models import Provider, Team

CHOICES_SECONDS = 60
WHOLE_BAR = (TIME, *COLUMNS)


class Item(NamedTuple):
    """A link of the side bar."""

    page: Page
    address: str
    current: bool


def show(
    request: HttpRequest,
    viewer: Viewer,
    name: str,
    template: str,
    context: dict[str, Any],
    *,
    scope: Scope | None = None,
    bar: Collection[str] = WHOLE_BAR,
    also: Mapping[str, str] = MappingProxyType({}),
    status: int = 200,
) -> HttpResponse:
    """The page `name` of `dashboard/pages.py`, or a page below it. Without a `scope` there is no bar for one; `bar` are
    the parts that the page goes by, `also` what else it does, which stays when the bar is used. Links carry on what the
    address says, whether the page goes by it or not."""
    own = {
        "viewer": viewer,
        "page": BY_NAME[name],
        "sidebar": sidebar(viewer, name, scope or Scope.read(request.GET.dict())),
        "search": BY_NAME["requests"].address if viewer.may(Need.ROWS) else None,
        "scope": scope,
        "scope_bar": scope_bar(viewer, scope, bar, also) if scope else None,
        "notices": notices_of(viewer) if viewer.may(Need.FIGURES) else None,
        "veil": current.get(),
        "reveal_address": reveal_address(request),
    }
    return render(request, template, own | context, status=status)


def notices_of(viewer: Viewer) -> list[tuple[Notice, str | None, str]]:
    """What stands above every page, each with the address and the title of the page that says more."""
    pages = [(notice, BY_NAME[notice.page]) for notice in read_notices(viewer)]
    return [(notice, page.address, page.title) for notice, page in pages]


def sidebar(viewer: Viewer, current: str, scope: Scope) -> list[tuple[str, list[Item]]]:
    """Groups of links, each to a page that exists and makes sense to the viewer; they carry the scope on."""
    return [
        (group, [Item(page, f"{page.address}{scope.kept}", page.name == current) for page in pages])
        for group, pages in groupby(pages_for(viewer), key=lambda page: page.group)
    ]


def pages_for(viewer: Viewer) -> list[Page]:
    return [page for page in PAGES if viewer.may(page.need) and page.address]


def scope_bar(viewer: Viewer, scope: Scope, bar: Collection[str], also: Mapping[str, str]) -> dict[str, Any]:
    """`carried`: what the address says beside what the bar has."""
    ranges = [
        (title, scope.address(**also, range=name, since="", until=""), not scope.since and name == scope.range)
        for name, (title, _) in RANGES.items()
    ]
    return {
        "ranges": ranges if TIME in bar else [],
        "choices": choices(viewer, scope, bar),
        "carried": [
            *((name, value) for name, value in scope.pairs() if (TIME if name in TIME_FIELDS else name) not in bar),
            *((name, value) for name, value in also.items() if value),
        ],
    }


def choices(viewer: Viewer, scope: Scope, bar: Collection[str]) -> list[tuple[str, str, str, list[str]]]:
    """Of each dimension its name, title, chosen value and what it offers; a chosen value is always offered."""
    offered = offers(viewer.figures)
    found = []
    for name in (name for name in COLUMNS if name in bar):
        title, chosen = name.capitalize(), getattr(scope, name)
        values = offered[name]
        found.append((name, title, chosen, values if not chosen or chosen in values else [*values, chosen]))
    return found


def offers(sight: Sight) -> dict[str, list[str]]:
    """Remembered for a minute: they stand on every page."""
    key = "scope-offers:" + ("*" if sight.teams is None else ",".join(sorted(sight.teams)))
    found: dict[str, list[str]] | None = cache.get(key)
    if found is None:
        teams = Team.objects.values_list("name", flat=True) if sight.teams is None else sorted(sight.teams)
        found = {
            "team": list(teams),
            "key": [value for value in values_seen("access_key", sight) if value],
            "model": values_seen("model", sight),
            "provider": list(Provider.objects.order_by("name").values_list("name", flat=True)),
        }
        cache.set(key, found, CHOICES_SECONDS)
    return found
