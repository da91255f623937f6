"""Saved views: what a page was asked for, under a name. A person sees their own and those of their teams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from django.db.models import Q, QuerySet

from dashboard.access import Viewer
from dashboard.models import SavedView
from dashboard.scope import Scope
from gateway.models import Team

PAGES: Final = ("requests", "conversations", "errors")
KEPT: Final = frozenset({item.name for item in fields(Scope)} | {"q", "columns"})
LONGEST: Final = 2_000
MOST: Final = 100
"""Of one person."""


def visible_views(viewer: Viewer) -> QuerySet[SavedView]:
    """One's own, and those shared with a team whose requests one may list."""
    views = SavedView.objects.select_related("team", "owner")
    if viewer.figures.teams is None:
        return views.filter(Q(owner=viewer.user) | Q(team__isnull=False))
    return views.filter(Q(owner=viewer.user) | Q(team__name__in=sorted(viewer.figures.teams)))


def views_of(viewer: Viewer, page: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The context of `parts/views.html`."""
    kept = kept_query(urlencode(query))
    return {
        "page": page,
        "query": kept,
        "found": [(view, view.query == kept) for view in visible_views(viewer).filter(page=page)[: 2 * MOST]],
        "teams": teams_of(viewer),
    }


def teams_of(viewer: Viewer) -> list[str]:
    """With whom a view may be shared."""
    teams = viewer.figures.teams
    return sorted(Team.objects.values_list("name", flat=True) if teams is None else teams)


def kept_query(text: str) -> str:
    """The part of a query string that says what was asked for, in one order; no place in a list, nothing unknown."""
    pairs = dict(parse_qsl(text[:LONGEST].replace("\0", "")))
    return urlencode(sorted((name, value) for name, value in pairs.items() if name in KEPT and value))
