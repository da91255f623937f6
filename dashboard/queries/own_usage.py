"""What a person's own keys used: of late, and of each window of an account."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from dashboard.access import Viewer
from dashboard.queries.quota import read_quota
from dashboard.scope import whole_hours
from gateway.history.figures import Figures, Span, added_up, read_figures
from gateway.history.quota import Window
from gateway.models import ApiKey

RECENT: Final = datetime.timedelta(days=7)
MOST_KEYS: Final = 20


class Share(NamedTuple):
    """`share` of what all whom one may see spent in the window, from 0 to 1; None: nothing with a price."""

    window: Window
    share: float | None


def read_own_usage(viewer: Viewer, now: datetime.datetime) -> dict[str, Any]:
    """The template's context; empty without a key."""
    keys = list(ApiKey.objects.filter(owner=viewer.user).order_by("name").values_list("name", flat=True)[:MOST_KEYS])
    if not keys:
        return {"own_usage": None, "own_shares": []}
    windows = [window for window in read_quota(viewer.figures, now, burners=False) if not window.over]
    return {
        "own_usage": of_keys(whole_hours(now - RECENT, now), keys),
        "own_shares": [share_of(window, keys, viewer, now) for window in windows],
    }


def of_keys(span: Span, keys: Sequence[str], **only: str) -> Figures | None:
    """A person's own keys are theirs to see, whichever team they belong to."""
    return added_up(
        figures for key in keys for figures in read_figures(span, (), only=only | {"access_key": key}, latencies=())
    )


def share_of(window: Window, keys: Sequence[str], viewer: Viewer, now: datetime.datetime) -> Share:
    begins = window.begins or now - window.length
    span = whole_hours(begins, min(now, window.resets_at or now))
    only = {"provider": "anthropic"}
    every = added_up(read_figures(span, (), teams=viewer.figures.figures, only=only, latencies=()))
    own, whole = cost_of(of_keys(span, keys, **only)), cost_of(every)
    return Share(window, float(own / whole) if whole else None)


def cost_of(figures: Figures | None) -> Decimal:
    return (figures.sums["cost_usd"] if figures else None) or Decimal(0)
