"""The header rules of the snapshot, prepared for use."""

from __future__ import annotations

import logging

from gateway.configuration.tables import Row, Tables
from gateway.models.header_rules import entry_of
from gateway.policy.header_patterns import compile_pattern
from gateway.policy.header_rules import HeaderRuleEntry
from gateway.policy.header_ways import HeaderRules

log = logging.getLogger(__name__)


def build_header_rules(tables: Tables) -> HeaderRules | None:
    """None when there are none. Rows come in their order."""
    entries = [entry for row in tables.header_rules if (entry := usable_entry(row)) is not None]
    return HeaderRules(entries) if entries else None


def usable_entry(row: Row) -> HeaderRuleEntry | None:
    """A rule that cannot be used must not keep the others from being in force."""
    try:
        entry = entry_of(row)
        if entry.is_pattern:
            compile_pattern(entry.find)
    except ValueError as error:
        log.error("the header rule %s is not in force: %s", row["name"], error)
        return None
    return entry
