"""What people type into the search: words, "exact pieces", -words, and fields such as `tool:Bash` or `model:opus`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.history.search.text import SHORTEST_PIECE, folded, path_labels, words_of

LONGEST: Final = 1_000
_TOKEN: Final = re.compile(r'(-?)(?:([a-z_]+):)?(?:"([^"]*)"?|(\S+))')

ROW_FIELDS: Final = {
    "model": "model",
    "client": "client",
    "version": "client_version",
    "key": "access_key",
    "team": "team",
    "session": "session_id",
    "agent": "agent_id",
    "outcome": "outcome",
    "status": "status_code",
    "provider": "provider",
}
"""Fields of the request, and its columns."""
RESPONSE_FIELDS: Final = {"stop": "stop_reason", "error": "error_type"}
LABEL_FIELDS: Final = ("tool", "path")
KINDS: Final = {"tools": 1, "system": 2, "messages": 3, "answers": 4}
TIME_FIELDS: Final = ("since", "until")
FIELDS: Final = (*ROW_FIELDS, *RESPONSE_FIELDS, *LABEL_FIELDS, "in", "is", *TIME_FIELDS)


@dataclass(slots=True)
class Query:
    """`words` and `prefixes` are in lower case; `pieces` as they were typed. `problems` say what cannot be understood,
    and how it can be said; such a query finds nothing."""

    words: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    row: dict[str, str] = field(default_factory=dict)
    response: dict[str, str] = field(default_factory=dict)
    kinds: list[int] = field(default_factory=list)
    failed: bool = False
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def asks_for_text(self) -> bool:
        return bool(self.words or self.prefixes or self.pieces)


def read_query(text: str) -> Query:
    """Never raises."""
    query = Query()
    for negated, name, quoted, plain in _tokens(text[:LONGEST].replace("\0", "")):
        if name in FIELDS:
            _read_field(query, name, quoted if quoted is not None else plain)
        elif quoted is not None:
            _add_piece(query, quoted)
        else:
            _add_plain(query, f"{name}:{plain}" if name else plain, excluded=bool(negated))
    if not (query.asks_for_text or query.labels or query.failed or query.problems):
        query.problems.append('nothing to look for: give a word, a "piece of text", tool:NAME or path:FILE')
    return query


def _tokens(text: str) -> Iterator[tuple[str, str, str | None, str]]:
    for found in _TOKEN.finditer(text):
        negated, name, quoted, plain = found.groups()
        yield negated, name or "", quoted, plain or ""


def _add_plain(query: Query, text: str, *, excluded: bool) -> None:
    words = sorted(words_of(text))
    if not words:
        return _add_piece(query, text)
    if excluded:
        query.excluded += words
    elif text.endswith("*") and len(words) == 1:
        query.prefixes += words
    else:
        query.words += words


def _add_piece(query: Query, text: str) -> None:
    if len(folded(text).strip()) < SHORTEST_PIECE:
        query.problems.append(f"{text!r} is too short: give at least {SHORTEST_PIECE} letters or digits in a row")
    else:
        query.pieces.append(text)


def _read_field(query: Query, name: str, value: str) -> None:
    if not value:
        query.problems.append(f"{name}: needs a value")
    elif name in ROW_FIELDS:
        _add_row(query, name, value)
    elif name in RESPONSE_FIELDS:
        query.response[RESPONSE_FIELDS[name]] = value
    elif name == "tool":
        query.labels.append(f"tool={value.lower()}")
    elif name == "path":
        query.labels.append(max(path_labels(value), key=len))
    elif name in TIME_FIELDS:
        _read_time(query, name, value)
    elif name == "is" and value == "failed":
        query.failed = True
    elif name == "in" and value in KINDS:
        query.kinds.append(KINDS[value])
    else:
        query.problems.append("is: takes failed" if name == "is" else f"in: takes one of {', '.join(KINDS)}")


def _add_row(query: Query, name: str, value: str) -> None:
    if name == "status" and not (value.isascii() and value.isdigit() and len(value) < 4):
        query.problems.append("status: needs a number such as 529")
    else:
        query.row[ROW_FIELDS[name]] = value


def _read_time(query: Query, name: str, value: str) -> None:
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        query.problems.append(f"{name}: needs a date such as 2026-11-21, or a time such as 2026-11-21T09:30")
        return
    setattr(query, name, moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))
