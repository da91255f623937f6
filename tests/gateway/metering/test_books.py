"""What budgets have spent already, read from the history: the same from its sums as from its turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.history.rollups import roll_up_all
from gateway.metering.books import read, write
from gateway.metering.counters import Warned
from gateway.models import BudgetEvent, BudgetStanding
from gateway.policy.budgets import BudgetRule, Standing
from gateway.policy.limits import Measure, Scope
from gateway.policy.rulebook import Rulebook
from gateway.policy.windows import Period, Window
from tests.exchanges import Sample, keep, message_stream

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime.now(UTC).replace(hour=12, minute=30, second=0, microsecond=0)
NOW = NOON.timestamp()
TOKENS = 1_060
RULES = (
    BudgetRule(name="all", period=Period.DAILY, tokens=1),
    BudgetRule(name="teams", scope=Scope.TEAM, period=Period.DAILY, zone="Asia/Kathmandu", tokens=1),
    BudgetRule(name="keys", scope=Scope.KEY, period=Period.MONTHLY, names=("ada*",), tokens=1, usd=1.0),
    BudgetRule(name="members", scope=Scope.MEMBER, period=Period.DAILY, tokens=1),
    BudgetRule(name="models", scope=Scope.MODEL, period=Period.DAILY, models=("claude-opus-*",), tokens=1),
    BudgetRule(name="sessions", scope=Scope.SESSION, period=Period.DAILY, tokens=1),
)
BOOK = Rulebook(budgets=RULES, members={"ada-1": "ada", "ada-2": "ada"}, exempt=frozenset({"free"}))


def turn(hours: float, key: str = "ada-1", team: str = "search", model: str = "claude-opus-4-5", **more: str) -> Sample:
    usage = {"input_tokens": 1000, "output_tokens": 0}
    chunks = message_stream("word " * 48, model=model, usage=usage)
    at = NOON - timedelta(hours=hours)
    return Sample({"model": model, "messages": []}, chunks, at, access_key=key, team=team, **more)  # type: ignore[arg-type]


def spent(name: str) -> dict[str, float]:
    seeds, _ = read(BOOK, NOW)
    return {subject: amounts[Measure.TOKENS] for (rule, subject, _), amounts in seeds.items() if rule == name}


def check() -> None:
    assert spent("all") == {"": 4 * TOKENS}
    assert spent("teams") == {"search": 2 * TOKENS, "ops": 2 * TOKENS}
    assert spent("keys")["ada-1"] >= 2 * TOKENS
    assert set(spent("keys")) == {"ada-1", "ada-2"}
    assert spent("members") == {"ada": 3 * TOKENS}
    assert spent("models") == {"claude-opus-4-5": 3 * TOKENS}


def test_the_sums_and_the_turns_since_say_what_the_turns_say() -> None:
    keep([turn(1), turn(3), turn(2, "ada-2", "ops"), turn(4, "grace", "ops", "claude-haiku-4-5"), turn(0.1, "free")])
    keep([turn(30, "ada-1")])
    check()
    roll_up_all()
    check()
    seeds, usual = read(BOOK, NOW)
    month = next(amounts for (rule, subject, _), amounts in seeds.items() if (rule, subject) == ("keys", "ada-1"))
    assert month[Measure.USD] > 0
    assert usual["claude-opus-4-5"] == 60


def test_what_was_written_down_counts_where_it_is_more() -> None:
    keep([turn(1)])
    rule = RULES[0]
    window = rule.window(NOW)
    for used in (5000.0, 4000.0):
        row = BudgetStanding(
            budget="all",
            window_start=datetime.fromtimestamp(window.start, UTC),
            window_end=datetime.fromtimestamp(window.end, UTC),
            tokens=used,
            told_at=NOON,
        )
        write([row], [])
    assert BudgetStanding.objects.get().tokens == 5000
    assert spent("all") == {"": 5000.0}


def test_a_warning_is_written_once_by_whoever_comes_first() -> None:
    window = Window(NOW - 100, NOW + 100)
    standing = Standing(RULES[0], Measure.TOKENS, 80.0, 100.0, window)
    for _ in range(2):
        write([], [Warned(standing, 75)])
    event = BudgetEvent.objects.get()
    assert (event.budget, event.threshold, event.unit, event.used, event.amount) == ("all", 75, "tokens", 80.0, 100.0)
    assert event.delivered_at is None
