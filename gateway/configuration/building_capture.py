"""The capture policies of the snapshot."""

from __future__ import annotations

from gateway.configuration.tables import Row, Tables
from gateway.policy.capture import CaptureMode, CapturePolicies, CaptureRule
from gateway.policy.masking import read_pointer


def build_capture(tables: Tables) -> CapturePolicies | None:
    """None when there are none. Rows come in their order."""
    rules = [rule_of(row) for row in tables.capture_policies]
    return CapturePolicies(rules) if rules else None


def rule_of(row: Row) -> CaptureRule:
    return CaptureRule(
        name=row["name"],
        mode=CaptureMode(row["mode"]),
        max_bytes=row["max_bytes"],
        masks=tuple(read_pointer(text) for text in row["masks"]),
        teams=frozenset(row["teams"]),
        members=frozenset(row["members"]),
        keys=frozenset(row["keys"]),
        models=tuple(row["models"]),
        paths=tuple(row["paths"]),
    )
