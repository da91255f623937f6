"""Requests that somebody keeps at hand, with a note: their own pins, and those of their teams.

A pin outlives its request: the note, who pinned it and when are still told when retention or an erasure took the rest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from dashboard.access import Viewer
from dashboard.models import PinnedRequest
from gateway.history.id_times import moment_of
from gateway.models import RequestLog, Team

MOST: Final = 200
"""Of one person; and so many of others are shown."""
LONGEST: Final = 300


class Pinned(NamedTuple):
    """`row` is None when the history holds it no more, or the viewer may not see it any more. The `note` of another is
    for those who read what the team said: it may repeat it."""

    pin: PinnedRequest
    row: RequestLog | None
    mine: bool
    removable: bool
    note: str

    @property
    def started_at(self) -> datetime:
        return moment_of(self.pin.request_id)


def visible_pins(viewer: Viewer) -> QuerySet[PinnedRequest]:
    """One's own, and those shared with a team whose requests one may list."""
    pins = PinnedRequest.objects.select_related("team", "owner")
    if viewer.figures.teams is None:
        return pins.filter(Q(owner=viewer.user) | Q(team__isnull=False))
    return pins.filter(Q(owner=viewer.user) | Q(team__name__in=sorted(viewer.figures.teams)))


def read_pins(viewer: Viewer) -> list[Pinned]:
    """One's own and the newest of others, the newest first."""
    visible = visible_pins(viewer)
    pins = [*visible.filter(owner=viewer.user), *visible.exclude(owner=viewer.user)[:MOST]]
    pins.sort(key=lambda pin: pin.pinned_at, reverse=True)
    listed = viewer.rows.listed().select_related("response").filter(id__in={pin.request_id for pin in pins})
    rows = {row.id: row for row in listed}
    return [pinned(pin, rows.get(pin.request_id), viewer) for pin in pins]


def pins_of(viewer: Viewer, request_id: UUID) -> dict[str, Any]:
    """For the page of one request: the viewer's own pin, if there is one, and those of others."""
    found = [pinned(pin, None, viewer) for pin in visible_pins(viewer).filter(request_id=request_id)[:MOST]]
    return {
        "pin": next((each.pin for each in found if each.mine), None),
        "others": [each for each in found if not each.mine],
    }


def pinned(pin: PinnedRequest, row: RequestLog | None, viewer: Viewer) -> Pinned:
    mine = pin.owner_id == viewer.user.pk
    reads = mine or (pin.team is not None and viewer.rows.reads(pin.team.name))
    return Pinned(pin, row, mine, mine or viewer.rows.teams is None, pin.note if reads else "")


def team_to_share_with(viewer: Viewer, row: RequestLog, wanted: bool) -> Team | None:
    """The request's own team, alone."""
    shares = wanted and bool(row.team) and (viewer.figures.teams is None or row.team in viewer.figures.teams)
    return Team.objects.filter(name=row.team).first() if shares else None
