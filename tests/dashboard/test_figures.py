"""How figures are written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from dashboard.templatetags import figures
from gateway.dialects.names import Outcome

CASES: dict[str, tuple[Any, Any, str]] = {
    "zero is a number": (figures.figure, 0, "0"),
    "unknown is a dash": (figures.figure, None, "\N{EN DASH}"),
    "thousands are apart": (figures.figure, 1234567, "1,234,567"),
    "a short number stays whole": (figures.short_figure, 940, "940"),
    "thousands get a letter": (figures.short_figure, 12_345, "12.3k"),
    "millions too": (figures.short_figure, 4_560_000, "4.56M"),
    "just below a million does not turn into an exponent": (figures.short_figure, 999_999, "1000k"),
    "a short zero is a zero": (figures.short_figure, 0, "0"),
    "a short unknown is a dash": (figures.short_figure, None, "\N{EN DASH}"),
    "fractions of milliseconds": (figures.milliseconds, 0.94, "0.9 ms"),
    "milliseconds": (figures.milliseconds, 840.4, "840 ms"),
    "seconds": (figures.milliseconds, 12_300, "12.3 s"),
    "minutes": (figures.milliseconds, 125_000, "2 min 5 s"),
    "hours": (figures.milliseconds, 7_260_000, "2 h 1 min"),
    "no duration": (figures.milliseconds, None, "\N{EN DASH}"),
    "bytes": (figures.size, 614, "614 B"),
    "kilobytes": (figures.size, 78_500, "78.5 kB"),
    "megabytes": (figures.size, 33_554_432, "33.6 MB"),
    "dollars": (figures.short_usd, Decimal("12.345"), "$12.35"),
    "less than a cent": (figures.short_usd, Decimal("0.00084"), "$0.00084"),
    "much less than a cent, without an exponent": (figures.short_usd, Decimal("0.0000204"), "$0.00002"),
    "a share": (figures.percent, 0.318, "32 %"),
    "a tiny share, without an exponent": (figures.percent, 0.0000004, "0.00004 %"),
    "no size": (figures.size, "", "\N{EN DASH}"),
}


@pytest.mark.parametrize(("write", "value", "expected"), CASES.values(), ids=CASES.keys())
def test_figure(write: Any, value: Any, expected: str) -> None:
    assert write(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(5, "5 s ago"), (125, "2 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago"), (-9, "0 s ago")],
)
def test_ago(seconds: int, expected: str) -> None:
    assert figures.ago(timezone.now() - timedelta(seconds=seconds)) == expected


def test_every_outcome_has_its_words() -> None:
    assert set(figures.OUTCOME_LOOKS) == {outcome.value for outcome in Outcome}
