"""What a header rule would do to requests that were recorded: its dry run, without which it cannot go live.

The rule stands among those that are live, at its place; what they make of the recorded headers with it and without it
is compared. Recorded are headers as clients and providers sent them, secrets as fingerprints: a rule that looks into a
credential finds its fingerprint there.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gateway.dialects.content import decode_body
from gateway.dialects.header_pairs import broken_pairs, needs_body
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_request
from gateway.history.veil import shown_value
from gateway.models import HeaderRule, HeaderRuleDryRun, RequestLog
from gateway.policy.header_rule_checks import touches_contract
from gateway.policy.header_rules import Direction, HeaderPair, RuleState
from gateway.policy.header_ways import HeaderRules

PAGE = 500
OF_A_KIND = 20
"""So many examples are kept of those that break something, and as many of the others."""
USUAL = 1_000
MOST = 100_000

Values = dict[bytes, list[bytes]]


class Difference(NamedTuple):
    """One request that the rule changes: the headers concerned, as text, before and after."""

    row: RequestLog
    before: dict[str, list[str]]
    after: dict[str, list[str]]
    contract: bool
    broken: list[str]


@dataclass(slots=True)
class Counted:
    looked_at: int = 0
    changed: int = 0
    contract: int = 0
    broken: int = 0
    oldest: datetime.datetime | None = None
    examples: list[dict[str, Any]] = field(default_factory=list)
    plain: int = 0
    """Examples that break nothing."""

    def take_in(self, difference: Difference) -> None:
        self.changed += 1
        self.contract += difference.contract
        self.broken += bool(difference.broken)
        kept = self.plain if not difference.broken else len(self.examples) - self.plain
        if kept < OF_A_KIND:
            self.examples.append({"id": str(difference.row.id), "broken": difference.broken})
            self.plain += not difference.broken


class Rehearsal:
    """A rule among the live ones, beside the same without it."""

    def __init__(self, rule: HeaderRule) -> None:
        live = HeaderRule.objects.filter(state=RuleState.LIVE, enabled=True).exclude(pk=rule.pk)
        others = [row for row in live if row.direction == rule.direction]
        ordered = sorted([*others, rule], key=lambda row: (row.position, row.name))
        self.direction = Direction(rule.direction)
        self._without = HeaderRules([row.entry for row in others])
        self._with = HeaderRules([replace(row.entry, is_shadow=False) for row in ordered])

    def try_on(self, row: RequestLog) -> Difference | None:
        """None: nothing changes for this request."""
        pairs = recorded_pairs(row, self.direction)
        before, after = self._run(self._without, row, pairs), self._run(self._with, row, pairs)
        names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        if not names:
            return None
        broken = self._broken(row, before, after)
        return Difference(
            row, told(before, names), told(after, names), any(touches_contract(name) for name in names), broken
        )

    def _run(self, rules: HeaderRules, row: RequestLog, pairs: list[HeaderPair]) -> Values:
        context = rules.context(row.provider, row.team, row.access_key, row.routed_model or row.requested_model)
        return values_of(rules.apply(self.direction, context, pairs))

    def _broken(self, row: RequestLog, before: Values, after: Values) -> list[str]:
        if self.direction is not Direction.REQUEST:
            return []
        return broken_pairs(before, after, body_of(row) if needs_body(before, after) else b"")


def dry_run(
    rule: HeaderRule, last: int, author_name: str, tell: Callable[[int], object] = lambda done: None
) -> HeaderRuleDryRun:
    """Try the rule on the newest `last` requests of clients, and keep what came of it. `tell`: so many are done."""
    rehearsal, counted = Rehearsal(rule), Counted()
    for row in newest_requests(last):
        counted.looked_at += 1
        counted.oldest = row.started_at
        difference = rehearsal.try_on(row)
        if difference is not None:
            counted.take_in(difference)
        if counted.looked_at % PAGE == 0:
            tell(counted.looked_at)
    return HeaderRuleDryRun.objects.create(
        rule_name=rule.name,
        digest=rule.digest,
        author_name=author_name,
        looked_at=counted.looked_at,
        changed=counted.changed,
        contract=counted.contract,
        broken=counted.broken,
        examples=counted.examples,
        oldest=counted.oldest,
    )


def examples_of(rule: HeaderRule, run: HeaderRuleDryRun, requests: Any) -> list[Difference]:
    """The examples that are still there, and among `requests`, tried once more: those that break something first."""
    ids = [example["id"] for example in run.examples]
    rehearsal = Rehearsal(rule)
    rows = requests.filter(id__in=ids).select_related("header_record").order_by("-id")
    found = [as_seen(difference) for row in rows if (difference := rehearsal.try_on(row)) is not None]
    return sorted(found, key=lambda difference: not difference.broken)


def as_seen(difference: Difference) -> Difference:
    """By whoever asks: the rule was tried on what was recorded, and is compared before anything is hidden."""
    team = difference.row.team
    return difference._replace(
        before=shown_value(difference.before, team),
        after=shown_value(difference.after, team),
        broken=shown_value(difference.broken, team),
    )


def newest_requests(last: int) -> Iterator[RequestLog]:
    """Clients' own, newest first, with their headers; a page at a time."""
    rows = RequestLog.objects.filter(purpose="").select_related("header_record").order_by("-id")
    before: uuid.UUID | None = None
    left = last
    while left > 0:
        page = list((rows if before is None else rows.filter(id__lt=before))[: min(PAGE, left)])
        yield from page
        if len(page) < min(PAGE, left):
            return
        left, before = left - len(page), page[-1].id


def recorded_pairs(row: RequestLog, direction: Direction) -> list[HeaderPair]:
    record = getattr(row, "header_record", None)
    if record is None:
        return []
    kept = record.request_pairs if direction is Direction.REQUEST else record.response_pairs
    return [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in kept]


def values_of(pairs: Iterable[HeaderPair]) -> Values:
    found: Values = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value)
    return found


def told(values: Values, names: list[bytes]) -> dict[str, list[str]]:
    return {name.decode("latin-1"): [text.decode("latin-1") for text in values.get(name, [])] for name in names}


def body_of(row: RequestLog) -> bytes | None:
    """The request's body without its content coding; None when it is not kept."""
    try:
        body = rebuild_request(row.id)
    except (Damaged, NotInHistory):
        return None
    if not body:
        return None
    coding = next((v for n, v in recorded_pairs(row, Direction.REQUEST) if n.lower() == b"content-encoding"), b"")
    return decode_body(coding, body).data
