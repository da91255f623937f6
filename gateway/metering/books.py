"""What the database knows of budgets, and is told of them: what was spent before this process began, where each budget
stands now, and who has to be warned.

All of it in a thread of its own, every second or so; a database that is away costs old standings and late warnings, and
no request waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from gateway.history.id_times import first_id_at
from gateway.metering.counters import Counter, Counters, Name, Warned
from gateway.models import BudgetEvent, BudgetStanding
from gateway.policy.budgets import BudgetRule
from gateway.policy.limits import Measure, Scope, Who
from gateway.policy.rulebook import Rulebook

CHANNEL = "turnlog_budget"
EVERY_SECONDS = 1.0
READ_AGAIN_SECONDS = 60.0
OLD = timedelta(days=400)
MOST_WARNINGS = 1000

SPENT = """
SELECT {columns}, sum(s.cost_usd)::float8, coalesce(sum(
    coalesce(s.input_tokens, 0) + coalesce(s.cache_read_tokens, 0) + coalesce(s.cache_write_tokens, 0)
    + coalesce(s.output_tokens, 0)), 0)::float8
FROM gateway_requestlog r JOIN gateway_responselog s ON s.id = r.id
WHERE r.id >= %(first)s AND s.id >= %(first)s AND r.purpose = ''
GROUP BY {columns}
"""
SUMMED = """
SELECT {columns}, sum(cost_usd)::float8, coalesce(sum(
    coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
    + coalesce(output_tokens, 0)), 0)::float8
FROM gateway_rolluphour WHERE hour >= %(since)s AND hour < %(until)s
GROUP BY {columns}
"""
USUAL = """
SELECT model, sum(output_tokens)::float8 / sum(metered)
FROM gateway_rolluphour WHERE hour >= %(since)s AND metered > 0 AND output_tokens IS NOT NULL GROUP BY model
"""
LEDGER = {
    "team": "r.team",
    "key": "r.access_key",
    "model": "coalesce(r.model, r.routed_model, r.requested_model, '')",
    "provider": "r.provider",
    "session": "coalesce(r.session_id, '')",
    "address": "r.client_address",
}
SUMS = {"team": "team", "key": "access_key", "model": "model", "provider": "provider"}
T = TypeVar("T")
Seeds = dict[Name, dict[Measure, float]]

log = logging.getLogger(__name__)


class Books:
    """Of one process."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._book: Rulebook | None = None
        self._read_at = 0.0
        self.problem: str | None = None

    async def keep(self, book: Rulebook) -> None:
        """One round. Called on the event loop; what takes time is done in a thread."""
        counters = self._counters
        now = counters.now()
        if book.budgets and (book is not self._book or now - self._read_at > READ_AGAIN_SECONDS):
            await self._read(book, now)
        warned, counters.warned = counters.warned, []
        changed = [counter for counter in (*counters.all.values(), *counters.past) if counter.changed]
        rows = [row for counter in changed if (row := standing_row(counter)) is not None]
        for counter in changed:
            counter.changed = False
        counters.tidy()
        if not rows and not warned:
            return
        try:
            await in_thread(write, rows, warned)
            self._note(None)
        except (DatabaseError, InterfaceError) as error:
            for counter in changed:
                counter.changed = True
            counters.warned = [*warned, *counters.warned][:MOST_WARNINGS]
            self._note(str(error).strip().split("\n")[0])

    async def _read(self, book: Rulebook, now: float) -> None:
        try:
            seeds, usual = await in_thread(read, book, now)
        except (DatabaseError, InterfaceError) as error:
            self._note(str(error).strip().split("\n")[0])
            return
        self._book, self._read_at = book, now
        self._counters.learn(seeds, frozenset(rule.name for rule in book.budgets))
        for model, tokens in usual.items():
            self._counters.usual.setdefault(model, tokens)
        self._note(None)

    def _note(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            log.warning("budgets cannot be read or written down: %s", problem)
        self.problem = problem


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """What `call` gives, from a thread that nobody waits for when the process ends: a database may be stalled."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", value))

    def run() -> None:
        value, problem = None, None
        try:
            value = call(*arguments)
        except BaseException as error:
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=run, name="budget-books", daemon=True).start()
    return await done


def read(book: Rulebook, now: float) -> tuple[Seeds, dict[str, float]]:
    """What each budget has spent in its present window, by the ledger and by what was written down; and how long
    answers usually are. Raises DatabaseError."""
    try:
        seeds: Seeds = {}
        read_standings(book, now, seeds)
        for start in {rule.window(now).start for rule in book.budgets}:
            rules = [rule for rule in book.budgets if rule.window(now).start == start]
            read_spent(book, rules, start, now, seeds)
        return seeds, read_usual(now)
    finally:
        connection.close()


def read_standings(book: Rulebook, now: float, seeds: Seeds) -> None:
    windows = {rule.name: rule.window(now).start for rule in book.budgets}
    rows = BudgetStanding.objects.filter(budget__in=windows, window_end__gt=moment(now))
    for budget, subject, start, usd, tokens in rows.values_list("budget", "subject", "window_start", "usd", "tokens"):
        if start.timestamp() == windows[budget]:
            seeds[budget, subject, windows[budget]] = {Measure.USD: usd, Measure.TOKENS: tokens}


def read_spent(book: Rulebook, rules: list[BudgetRule], start: float, now: float, seeds: Seeds) -> None:
    """From the sums of whole hours where they are enough, and from the turns since; from the turns alone where a rule
    counts by what sums do not tell apart."""
    fine = [rule for rule in rules if rule.scope in (Scope.SESSION, Scope.ADDRESS)]
    coarse = [rule for rule in rules if rule not in fine]
    spent: Seeds = {}
    if fine:
        add(spent, book, fine, start, LEDGER, ledger_rows(LEDGER, moment(start)))
    if coarse:
        columns = {name: LEDGER[name] for name in SUMS}
        since, summed = moment(start), summed_until(moment(start), moment(now))
        if summed is not None:
            add(spent, book, coarse, start, SUMS, sum_rows(since, summed))
        add(spent, book, coarse, start, columns, ledger_rows(columns, summed or since))
    for name, amounts in spent.items():
        known = seeds.setdefault(name, {})
        for measure, amount in amounts.items():
            known[measure] = max(known.get(measure, 0.0), amount)


def summed_until(since: datetime, now: datetime) -> datetime | None:
    """Up to which full hour the sums are complete; None: not even the first. A window that begins within an hour, as in
    zones half an hour off, is read from its turns."""
    if since != on_the_hour(since):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(hour) FROM gateway_rollupdue WHERE hour >= %s", [since])
        due = cursor.fetchone()[0]
        cursor.execute("SELECT max(hour) FROM gateway_rolluphour WHERE hour < %s", [on_the_hour(now)])
        last = cursor.fetchone()[0]
    if last is None or last < since:
        return None
    found: datetime = min(due, last) if due is not None else last
    return found


def on_the_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def ledger_rows(columns: Mapping[str, str], since: datetime) -> list[tuple[Any, ...]]:
    statement = SPENT.format(columns=", ".join(columns.values()))
    with connection.cursor() as cursor:
        cursor.execute(statement, {"first": first_id_at(since)})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def sum_rows(since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(SUMMED.format(columns=", ".join(SUMS.values())), {"since": since, "until": until})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def add(
    spent: Seeds,
    book: Rulebook,
    rules: list[BudgetRule],
    start: float,
    columns: Mapping[str, str],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    """Each row to the budgets it counts for: the values of `columns`, US dollars, tokens."""
    for *values, usd, tokens in rows:
        told = dict(zip(columns, values, strict=True))
        if told["key"] in book.exempt:
            continue  # never counted
        who = Who(**told, member=book.members.get(told["key"], ""))
        for rule in rules:
            subject = rule.subject(who)
            if subject is not None:
                amounts = spent.setdefault((rule.name, subject, start), dict.fromkeys(Measure, 0.0))
                amounts[Measure.USD] += usd or 0.0
                amounts[Measure.TOKENS] += tokens


def read_usual(now: float) -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute(USUAL, {"since": moment(now - 86_400)})
        return dict(cursor.fetchall())


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def standing_row(counter: Counter) -> BudgetStanding | None:
    if not isinstance(counter.rule, BudgetRule):
        return None
    used = {measure: pool.used for measure, pool in counter.pools.items()}
    return BudgetStanding(
        budget=counter.rule.name,
        subject=counter.subject,
        window_start=moment(counter.window.start),
        window_end=moment(counter.window.end),
        usd=used.get(Measure.USD, 0.0),
        tokens=used.get(Measure.TOKENS, 0.0),
        told_at=timezone.now(),
    )


UPSERT = """
INSERT INTO gateway_budgetstanding AS known (budget, subject, window_start, window_end, usd, tokens, told_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (budget, subject, window_start) DO UPDATE
SET usd = greatest(known.usd, excluded.usd), tokens = greatest(known.tokens, excluded.tokens),
    window_end = excluded.window_end, told_at = excluded.told_at
"""
WARN = """
INSERT INTO gateway_budgetevent
    (at, budget, scope, subject, period, window_start, window_end, threshold, unit, used, amount)
VALUES (now(), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (budget, subject, window_start, threshold, unit) DO NOTHING RETURNING id
"""


def write(rows: list[BudgetStanding], warned: list[Warned]) -> None:
    """Where budgets stand, and the warnings nobody else has written yet; each tells who listens. Raises
    DatabaseError."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # In one order, so that two processes do not wait for each other.
            for row in sorted(rows, key=lambda each: (each.budget, each.subject, each.window_start)):
                cursor.execute(
                    UPSERT,
                    [row.budget, row.subject, row.window_start, row.window_end, row.usd, row.tokens, row.told_at],
                )
            for standing, threshold in warned:
                cursor.execute(WARN, warning_values(Warned(standing, threshold)))
                found = cursor.fetchone()
                if found is not None:
                    cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(found[0])])
    finally:
        connection.close()


def warning_values(warned: Warned) -> list[Any]:
    standing, rule = warned.standing, warned.standing.rule
    return [
        rule.name, rule.scope.value, standing.subject, rule.period.value,
        moment(standing.window.start), moment(standing.window.end), warned.threshold, standing.measure.value,
        standing.used, standing.capacity,
    ]  # fmt: skip


def forget_old(now: datetime) -> None:
    """Standings and events of windows long over."""
    for model in (BudgetStanding, BudgetEvent):
        model.objects.filter(window_end__lt=now - OLD).delete()
