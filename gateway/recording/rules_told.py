"""What header rules did, as the spool keeps it: secrets as their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.policy.header_rules import Applied, Change
from gateway.recording.records import HeaderChange, RulesOfDirection

Redact = Callable[[Sequence[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]


def told(applied: Applied | None, redact: Redact) -> RulesOfDirection | None:
    if applied is None:
        return None
    return RulesOfDirection(
        [(label.id, label.name) for label in applied.fired],
        [told_change(change, redact) for change in applied.changes],
        [(label.id, label.name) for label in applied.shadow],
        [told_change(change, redact) for change in applied.would],
    )


def told_change(change: Change, redact: Redact) -> HeaderChange:
    before, after = (
        [value for _, value in redact([(change.name, text) for text in values])]
        for values in (change.before, change.after)
    )
    return HeaderChange(change.name, before, after)
