"""What header rules did, as the spool keeps it: secrets as their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.policy.header_rules import Applied, Change
from gateway.recording.records import HeaderChange, RulesOfDirection

Redact = Callable[[Sequence[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]


KNOWN = 256
LONGEST_KNOWN = 2048


class RulesTold:
    """Tells it once for all requests to which the same was done; what held a secret is not remembered."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._known: dict[tuple[object, ...], RulesOfDirection] = {}

    def __call__(self, applied: Applied | None) -> RulesOfDirection | None:
        if applied is None:
            return None
        done = applied[1:]
        found = self._known.get(done)
        return self._tell(applied) if found is None else found

    def _tell(self, applied: Applied) -> RulesOfDirection:
        told = RulesOfDirection(
            [(label.id, label.name) for label in applied.fired],
            [told_change(change, self._redact) for change in applied.changes],
            [(label.id, label.name) for label in applied.shadow],
            [told_change(change, self._redact) for change in applied.would],
        )
        if is_in_clear(applied.changes, told.changes) and is_in_clear(applied.would, told.would):
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[applied[1:]] = told
        return told


def is_in_clear(changes: Sequence[Change], told: Sequence[HeaderChange]) -> bool:
    """Whether nothing was taken out, and it is small."""
    values = [(change.before, change.after) for change in changes]
    size = sum(len(text) for both in values for texts in both for text in texts)
    return size <= LONGEST_KNOWN and values == [(tuple(each.before), tuple(each.after)) for each in told]


def told_change(change: Change, redact: Redact) -> HeaderChange:
    before, after = (
        [value for _, value in redact([(change.name, text) for text in values])]
        for values in (change.before, change.after)
    )
    return HeaderChange(change.name, before, after)
