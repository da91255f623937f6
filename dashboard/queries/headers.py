"""Header pairs as they came, with what header rules made of them marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.history.transcript.blocks import as_list, as_mapping


class HeaderRow(NamedTuple):
    """`change`: `added` or `removed` by a rule; empty: passed on as it came."""

    name: str
    value: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class HeaderTable:
    title: str
    rows: Sequence[HeaderRow]


def table_of(title: str, pairs: Sequence[Sequence[str]], rules: object) -> HeaderTable:
    """`rules` is what is recorded of one direction: `changes` as (name, values before, values after)."""
    told = as_mapping(rules)
    changes = {str(name).lower(): (set(before), list(after), str(name)) for name, before, after in triples(told)}
    rows: list[HeaderRow] = []
    for name, value in pairs:
        before, after, _ = changes.get(name.lower(), (set(), [], ""))
        gone = value in before and value not in after
        rows.append(HeaderRow(name, value, "removed" if gone else ""))
    for before, after, name in changes.values():
        rows += [HeaderRow(name, str(value), "added") for value in after if value not in before]
    return HeaderTable(title, rows)


def triples(told: Mapping[str, Any]) -> list[Any]:
    return [change for change in as_list(told.get("changes")) if isinstance(change, list) and len(change) == 3]
