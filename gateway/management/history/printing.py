"""Rows and values as a terminal shows them. Nothing recorded may steer the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Columns = Sequence[tuple[str, int]]


def dump(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def table_line(row: dict[str, Any], columns: Columns) -> str:
    return "  ".join(cell(row[name], width) for name, width in columns).rstrip()


def cell(value: Any, width: int) -> str:
    if isinstance(value, float):
        return f"{value:.0f}".rjust(width)
    if isinstance(value, int):
        return str(value).rjust(width)
    return printable("" if value is None else str(value))[:width].ljust(width)


def printable(text: str) -> str:
    """Nothing recorded may steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
