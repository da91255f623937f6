"""How money is written."""

from __future__ import annotations

from decimal import Decimal

MICRO = Decimal("1e-6")


def dollars(usd: Decimal | None) -> str | None:
    """Decimal USD to the micro-dollar; smaller sums in full, so that what is not nothing does not look like it."""
    if usd is None:
        return None
    rounded = usd.quantize(MICRO)
    return f"{rounded:f}" if rounded or not usd else f"{usd:f}"
