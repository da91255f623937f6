"""What a header rule was before, out of the versions of the whole configuration, and the way back for it alone."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import yaml

from gateway.configuration.applying import apply_document
from gateway.configuration.document import read_document
from gateway.configuration.exporting import dump
from gateway.models import ConfigurationRevision

LOOKED_THROUGH = 60
SHOWN = 10
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Entry = dict[str, Any]


class FormerRule(NamedTuple):
    """The rule as it became with a version, as its entry in a configuration file."""

    version: int
    made_at: datetime.datetime
    author_name: str
    note: str
    entry: Entry

    @property
    def told(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.entry.items() if name != "name")


def former_rules(name: str) -> list[FormerRule]:
    """What the rule of this name was, newest first, beginning with what it is now; once for each time it changed."""
    found: list[FormerRule] = []
    for row in ConfigurationRevision.objects.order_by("-pk")[:LOOKED_THROUGH]:
        entry = entry_in(row.document, name)
        if entry is None:
            continue
        former = FormerRule(row.pk, row.made_at, row.author_name, row.note, entry)
        if found and found[-1].entry == entry:
            # The same was there before: it is this version, or an earlier one, that made it so.
            found[-1] = former
        else:
            found.append(former)
    return found[:SHOWN]


def entry_in(document: str, name: str) -> Entry | None:
    root = yaml.load(document, Loader=Loader) or {}  # noqa: S506 (the safe one, in C)
    entries: list[Entry] = root.get("header_rules") or []
    return next((entry for entry in entries if entry.get("name") == name), None)


def bring_back(name: str, version: int) -> list[str]:
    """Make the rule what it was in a version, and nothing else; what changed. Raises ValueError."""
    row = ConfigurationRevision.objects.filter(pk=version).first()
    entry = entry_in(row.document, name) if row is not None else None
    if entry is None:
        raise ValueError(f"Version {version} holds no rule {name}.")
    return apply_document(read_document(dump({"header_rules": [entry]}))).changes
