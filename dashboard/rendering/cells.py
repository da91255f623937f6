"""The cells of a table whose columns are chosen by whoever looks at it. Written here and not by a template: hundreds of
them make a page, and a template asks of each anew what its column has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.template.loader import render_to_string
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe

CUT: Final = frozenset({"tl-model", "tl-client", "tl-cut"})
"""Classes whose text is cut off where its column ends."""
OUTCOMES_KNOWN: Final = 256


@dataclass(frozen=True, slots=True)
class Cell:
    """`small` stands behind the text, `title` is shown to whoever points at it."""

    text: str
    title: str = ""
    small: str = ""


def cell_html(cell: Cell, label: str, kind: str) -> SafeString:
    """`label` names it where a window is narrow and the table has no head; `kind` is its class."""
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    small = f" <small>{escape(cell.small)}</small>" if cell.small else ""
    text = conditional_escape(cell.text)
    inner = f"<span>{text}</span>" if kind in CUT else text
    return mark_safe(f'<td class="{kind}" data-label="{escape(label)}"{title}>{inner}{small}</td>')  # noqa: S308 escaped


@lru_cache(OUTCOMES_KNOWN)
def outcome_html(status: int | None, outcome: str, capture: str) -> SafeString:
    """How a request ended, and whether all of it was kept."""
    return render_to_string("dashboard/parts/ended.html", {"status": status, "outcome": outcome, "capture": capture})
