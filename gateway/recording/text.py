"""Text that PostgreSQL takes. Only the projection is cleaned: the bytes in the store stay what they were."""

from __future__ import annotations

from gateway.dialects.json_values import mend_text

INDEXED_BOUND = 500
"""Characters of a column that has an index: an index entry must fit a third of a page."""
TEXT_BOUND = 65_536


def clean(text: str, bound: int = TEXT_BOUND) -> str:
    """At most `bound` characters; NUL as its picture U+2400, lone surrogates replaced."""
    return mend_text(text[:bound].replace("\x00", "\u2400"))


def clean_or_none(text: str | None, bound: int = TEXT_BOUND) -> str | None:
    return None if text is None else clean(text, bound)
