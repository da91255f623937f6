"""What header rules did, as the spool keeps it: secrets as their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.policy.header_rules import Change, Deed
from gateway.recording.records import HeaderChange, RulesApplied, RulesOfDirection

Redact = Callable[[Sequence[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]


KNOWN = 256
LONGEST_KNOWN = 2048


class RulesTold:
    """Tells it once for all requests to which the same was done; what held a secret is not remembered."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._known: dict[tuple[int, int], tuple[Deed | None, Deed | None, RulesApplied]] = {}
        """By the deeds' identities. They are kept with it, so that no others can have them."""

    def __call__(self, request: Deed | None, response: Deed | None) -> RulesApplied:
        known = self._known.get((id(request), id(response)))
        return self._tell(request, response) if known is None else known[2]

    def _tell(self, request: Deed | None, response: Deed | None) -> RulesApplied:
        told = RulesApplied(self._direction(request), self._direction(response))
        if is_in_clear(request, told.request) and is_in_clear(response, told.response):
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[id(request), id(response)] = (request, response, told)
        return told

    def _direction(self, deed: Deed | None) -> RulesOfDirection | None:
        if deed is None:
            return None
        return RulesOfDirection(
            [(label.id, label.name) for label in deed.work.fired],
            [told_change(change, self._redact) for change in deed.work.changes],
            [(label.id, label.name) for label in deed.shadow],
            [told_change(change, self._redact) for change in deed.would],
        )


def is_in_clear(deed: Deed | None, told: RulesOfDirection | None) -> bool:
    """Whether nothing was taken out, and it is small."""
    if deed is None or told is None:
        return True
    values = [(change.before, change.after) for change in (*deed.work.changes, *deed.would)]
    size = sum(len(text) for both in values for texts in both for text in texts)
    shown = [(tuple(each.before), tuple(each.after)) for each in (*told.changes, *told.would)]
    return size <= LONGEST_KNOWN and values == shown


def told_change(change: Change, redact: Redact) -> HeaderChange:
    before, after = (
        [value for _, value in redact([(change.name, text) for text in values])]
        for values in (change.before, change.after)
    )
    return HeaderChange(change.name, before, after)
