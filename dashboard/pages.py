"""The pages people look at: what they are called, where they stand in the side bars, and which key leads to them.

One list for the dashboard's own side bar, the admin's, and the help of the keyboard. A page is shown where its address
exists and its reader may open it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from django.urls import NoReverseMatch, reverse


class Need(Enum):
    """What a reader must be allowed to see, so that the page makes sense: FIGURES for lists and sums, ROWS for what was
    said."""

    NOTHING = "nothing"
    FIGURES = "figures"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is that of its address in the namespace `d`; `key` follows `g` on the keyboard."""

    name: str
    title: str
    icon: str
    key: str
    group: str
    need: Need = Need.ROWS

    @property
    def address(self) -> str | None:
        try:
            return reverse(f"d:{self.name}")
        except NoReverseMatch:
            return None


PAGES = (
    Page("overview", "Overview", "space_dashboard", "o", "Now", Need.FIGURES),
    Page("live", "Live", "sensors", "l", "Now", Need.FIGURES),
    Page("agents", "Agents", "smart_toy", "a", "Now", Need.FIGURES),
    Page("alerts", "Alerts", "notifications_active", "w", "Now", Need.FIGURES),
    Page("requests", "Requests", "list_alt", "r", "History", Need.FIGURES),
    Page("conversations", "Conversations", "forum", "c", "History"),
    Page("pinned", "Pinned", "push_pin", "p", "History", Need.FIGURES),
    Page("errors", "Errors", "error", "e", "History", Need.FIGURES),
    Page("usage", "Usage and cost", "payments", "u", "Figures", Need.FIGURES),
    Page("quota", "Quota", "speed", "q", "Figures", Need.FIGURES),
    Page("models", "Models and latency", "network_intelligence", "m", "Figures", Need.FIGURES),
    Page("grades", "Grading", "grading", "s", "Figures"),
    Page("health", "System health", "monitor_heart", "h", "Turnlog", Need.FIGURES),
    Page("me", "Connect", "cable", "i", "Turnlog", Need.NOTHING),
)
BY_NAME = {page.name: page for page in PAGES}
