"""The content rules of the snapshot: those that refuse. The others are the worker's."""

from __future__ import annotations

from gateway.configuration.tables import Tables
from gateway.models.content import usable_rules
from gateway.policy.content_rules import RefusingRules


def build_refusing(tables: Tables) -> RefusingRules | None:
    """None when there are none."""
    rules = usable_rules(tables.refusing_rules)
    return RefusingRules(rules) if rules else None
