"""How numbers, times and states are written on every page. What is not known is a dash, never a zero."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import template
from django.utils import timezone

from gateway.pricing.cost import NO_USAGE, NOT_SENT_ON
from gateway.pricing.money import dollars

register = template.Library()

UNKNOWN = "\N{EN DASH}"

OUTCOME_LOOKS = {
    "completed": ("good", "✓", "completed"),
    "upstream_error": ("bad", "✕", "upstream error"),
    "client_disconnected": ("quiet", "○", "client left"),
    "client_stalled": ("warn", "▲", "client stalled"),
    "upstream_aborted": ("bad", "✕", "upstream aborted"),
    "upstream_stalled": ("bad", "✕", "upstream stalled"),
    "denied": ("warn", "▲", "denied"),
    "interrupted": ("warn", "▲", "interrupted"),
    "interrupted_drain": ("warn", "▲", "interrupted by drain"),
}


def known(value: Any) -> bool:
    return value is not None and value != ""


def three_digits(number: float) -> str:
    digits = f"{number:.3g}"
    return f"{number:.0f}" if "e" in digits else digits


@register.filter
def figure(value: Any) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}" if known(value) else UNKNOWN


@register.filter
def short_figure(value: Any) -> str:
    """A number in at most five characters: 940, 12.3k, 4.56M."""
    if not known(value):
        return UNKNOWN
    number = float(value)
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= bound:
            return f"{three_digits(number / bound)}{unit}"
    return f"{number:.0f}"


@register.filter
def usd(value: Decimal | None) -> str:
    """Money, to the micro-dollar."""
    return dollars(value) or UNKNOWN


@register.filter
def cost(response: Any) -> str:
    """What an answer cost; in words when it has a usage and no known price."""
    if response is None or not known(getattr(response, "cost_note", None)):
        return usd(getattr(response, "cost_usd", None))
    if response.cost_usd is not None:
        return f"≥ {usd(response.cost_usd)}"
    return UNKNOWN if response.cost_note in (NO_USAGE, NOT_SENT_ON) else "unknown"


def two_digits(amount: float) -> str:
    """The first two that say something, without an exponent."""
    return f"{Decimal(f'{amount:.2g}'):f}"


@register.filter
def short_usd(value: Decimal | float | None) -> str:
    """Money as a tile shows it: two digits behind the point, more where it is less than a cent."""
    if not known(value):
        return UNKNOWN
    amount = float(value or 0)
    if amount and abs(amount) < 0.01:
        return f"${two_digits(amount)}"
    return f"${amount:,.2f}" if abs(amount) < 10_000 else f"${short_figure(amount)}"


@register.filter
def percent(value: Any) -> str:
    """A share, 1 being all."""
    if not known(value):
        return UNKNOWN
    share = float(value) * 100
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{two_digits(share)} %"


@register.filter
def quantity(value: Any, unit: str) -> str:
    """A value of a chart, by the name of its unit."""
    if not known(value):
        return UNKNOWN
    if unit == "percent":
        return f"{value:.3g} %"
    writers = {"usd": short_usd, "ms": milliseconds, "bytes": size}
    return writers.get(unit, short_figure if float(value) >= 10_000 else plain_figure)(value)


def plain_figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{float(value):,.4g}"


@register.filter
def plain_number(value: Any) -> str:
    """As a script reads it; empty when it is not known."""
    return str(float(value)) if known(value) else ""


@register.inclusion_tag("dashboard/parts/badge.html")
def badge(tone: str, words: str, sign: str = "", title: str = "") -> dict[str, str]:
    """A state in words; `tone` is good, warn, bad or quiet."""
    return {"tone": tone, "words": words, "sign": sign, "title": title}


@register.filter
def milliseconds(value: Any) -> str:
    """A duration given in milliseconds, in the unit a person would use."""
    if not known(value):
        return UNKNOWN
    amount = float(value)
    if amount < 10:
        return f"{amount:.1f} ms"
    if amount < 1_000:
        return f"{amount:.0f} ms"
    seconds = amount / 1_000
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def size(value: Any) -> str:
    """Bytes, in powers of ten."""
    if not known(value):
        return UNKNOWN
    amount = float(value)
    if amount < 1_000:
        return f"{amount:.0f} B"
    for unit in ("kB", "MB", "GB"):
        amount /= 1_000
        if amount < 1_000:
            return f"{three_digits(amount)} {unit}"
    return f"{amount:,.0f} GB"


@register.filter
def ago(value: datetime | None) -> str:
    """How long before now, in one unit."""
    if value is None:
        return UNKNOWN
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


@register.filter
def short_id(value: UUID | str | None) -> str:
    """The first part of an identifier, for a place where the whole would not fit."""
    return str(value)[:8] if known(value) else UNKNOWN


@register.filter
def total(values: Iterable[int]) -> int:
    return sum(values)


@register.filter
def or_dash(value: Any) -> Any:
    return value if known(value) else UNKNOWN


@register.inclusion_tag("dashboard/outcome.html")
def outcome(value: str) -> dict[str, str]:
    tone, sign, words = OUTCOME_LOOKS.get(value, ("quiet", "?", value))
    return {"tone": tone, "sign": sign, "words": words}


@register.filter
def outcome_words(value: str) -> str:
    return OUTCOME_LOOKS.get(value, ("", "", value))[2]


@register.filter
def status_tone(value: int | None) -> str:
    if value is None:
        return "quiet"
    return "good" if value < 400 else "warn" if value < 500 else "bad"
