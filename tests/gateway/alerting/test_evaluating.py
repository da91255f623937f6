"""Rules over what really lies in the database: what opens, what is told, what ends."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.utils import timezone

from gateway.alerting.evaluating import look, try_rule
from gateway.alerting.money import announce_budgets
from gateway.dialects.names import Outcome
from gateway.models import (
    Alert,
    AlertChannel,
    AlertRule,
    Announcement,
    Budget,
    BudgetEvent,
    BudgetStanding,
    Credential,
    Delivery,
    FleetState,
    Provider,
)
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db
BODY = {"model": "claude-opus-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
AN_HOUR = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def own_rules_only() -> None:
    AlertRule.objects.all().delete()
    AlertChannel.objects.create(name="ops", way="webhook")


def rule(**values: Any) -> AlertRule:
    known: dict[str, Any] = {"name": "r", "operator": ">=", "threshold": 1.0, "window": 0, "cooldown": 600}
    made = AlertRule(**known | values)
    made.full_clean()
    made.save()
    return made


def told() -> list[tuple[str, str]]:
    return [(row.state, row.title) for row in Announcement.objects.order_by("pk")]


def open_now() -> list[str]:
    return sorted(Alert.objects.filter(state="open").values_list("subject", flat=True))


def fleet(process: str = "one", age: float = 0.0, **state: Any) -> None:
    known: dict[str, Any] = {"breakers": [], "credentials": [], "queues": [], "down": {}}
    told_at = timezone.now() - datetime.timedelta(seconds=age)
    FleetState.objects.update_or_create(process=process, defaults={"told_at": told_at, "state": known | state})


def breaker(state: str = "open", model: str = "") -> dict[str, Any]:
    return {"provider": "anthropic", "model": model, "state": state, "held": None, "failures_in_a_row": 5}


def at(seconds: float) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(seconds=seconds)


class TestErrors:
    def fill(self, good: int, bad: int, **values: Any) -> None:
        keep([Sample(BODY, **values) for _ in range(good)])
        failed = {"status": 529, "outcome": Outcome.UPSTREAM_ERROR} | values
        keep([Sample(BODY, **failed) for _ in range(bad)])

    def errors(self, **values: Any) -> AlertRule:
        return rule(**{"metric": "error_rate", "operator": ">", "threshold": 5.0, "window": 300} | values)

    def test_over_the_threshold(self) -> None:
        self.fill(good=9, bad=1)
        self.errors(minimum=10, per="provider")
        look()
        assert open_now() == ["anthropic"]
        assert told() == [("open", "anthropic: Errors 10 %")]
        look()
        assert len(told()) == 1
        assert Delivery.objects.count() == 1

    def test_at_the_threshold(self) -> None:
        self.fill(good=19, bad=1)
        self.errors()
        look()
        assert open_now() == []

    def test_fewer_requests_than_the_minimum_say_nothing(self) -> None:
        self.fill(good=0, bad=4)
        self.errors(minimum=5)
        look()
        assert open_now() == []

    def test_what_ended_before_the_window_does_not_count(self) -> None:
        self.fill(good=0, bad=5, at=timezone.now() - datetime.timedelta(seconds=400))
        self.errors()
        look()
        assert open_now() == []

    def test_a_long_request_counts_when_it_ends(self) -> None:
        begun = timezone.now() - datetime.timedelta(seconds=400)
        self.fill(good=0, bad=5, at=begun, first_ms=390_000)
        self.errors()
        look()
        assert open_now() == [""]

    def test_clients_that_left_are_no_errors(self) -> None:
        keep([Sample(BODY, outcome=Outcome.CLIENT_DISCONNECTED) for _ in range(5)])
        self.fill(good=1, bad=0)
        self.errors()
        look()
        assert open_now() == []

    def test_a_self_test_does_not_count(self) -> None:
        self.fill(good=0, bad=3, purpose="selftest")
        self.errors()
        look()
        assert open_now() == []

    def test_each_team_by_itself_and_only_those_the_rule_is_about(self) -> None:
        self.fill(good=0, bad=2, team="alpha")
        self.fill(good=0, bad=2, team="beta")
        self.fill(good=0, bad=2, team="ads")
        self.errors(per="team", teams=["a*"])
        look()
        assert open_now() == ["ads", "alpha"]
        assert set(Alert.objects.values_list("team", flat=True)) == {"ads", "alpha"}

    def test_it_ends_when_it_is_over(self) -> None:
        self.fill(good=0, bad=2)
        self.errors()
        look()
        self.fill(good=50, bad=0)
        look()
        assert open_now() == []
        assert told() == [("open", "Errors 100 %"), ("resolved", "Over: Errors")]
        assert Alert.objects.get().resolved_at is not None

    def test_latency(self) -> None:
        keep([Sample(BODY, first_ms=4_000) for _ in range(20)])
        slow = rule(metric="first_byte_p95", operator=">", threshold=3_000, window=300)
        (found,) = try_rule(slow) or []
        assert found.holds
        assert found.reading.value == pytest.approx(4_000, rel=0.05)
        rule(name="d", metric="duration_p95", operator=">", threshold=60_000, window=300)
        look()
        assert [alert.metric for alert in Alert.objects.filter(state="open")] == ["first_byte_p95"]


def test_refusals_are_told_apart_by_limit_and_kind() -> None:
    refused = "The limit {} allows {}. Try again in 1 s."
    for said in (
        refused.format("fair", "5 requests at once of key ada"),
        refused.format("slow", "2 requests a minute"),
    ):
        keep([Sample(BODY, chunks=(), status=429, outcome=Outcome.DENIED, error=said)])
    rule(name="all", metric="limit_refusals", window=60)
    rule(name="together", metric="concurrency_refusals", window=60)
    look()
    alerts = Alert.objects.filter(state="open").values_list("rule_name", "subject")
    assert sorted(alerts) == [("all", "fair"), ("all", "slow"), ("together", "fair")]


class TestProviders:
    def test_an_open_breaker(self) -> None:
        rule(metric="breaker_open")
        fleet(breakers=[breaker(), breaker("closed", "claude-opus-5-5")])
        look()
        assert open_now() == ["anthropic"]
        fleet(breakers=[breaker("half_open")])
        look()
        assert open_now() == []

    def test_a_process_that_tells_nothing_any_more_does_not_count(self) -> None:
        rule(metric="breaker_open")
        fleet(age=91, breakers=[breaker()])
        look()
        assert open_now() == []

    def test_all_credentials_of_a_provider(self) -> None:
        rule(metric="credentials_limited", threshold=100)
        provider, _ = Provider.objects.get_or_create(name="anthropic", defaults={"dialect": "anthropic"})
        for name in ("a", "b", "c"):
            Credential.objects.create(provider=provider, name=name)
        Credential.objects.filter(name="a").update(blocked=True)
        resting = {"provider": "anthropic", "in_flight": 0, "rejected": False, "limited": 1, "rests_seconds": 30}
        fleet(credentials=[resting | {"name": "b"}, resting | {"name": "c", "rests_seconds": 0}])
        look()
        assert open_now() == []
        fleet("two", credentials=[resting | {"name": "c", "rests_seconds": 0, "rejected": True}])
        look()
        assert open_now() == ["anthropic"]

    def test_queues_and_places(self) -> None:
        bounds = {"dialect": "anthropic", "queue_size": 10, "max_in_flight": 4}
        Provider.objects.update_or_create(name="anthropic", defaults=bounds)
        fleet(queues=[{"provider": "anthropic", "running": 4, "waiting": 8}])
        fleet("two", queues=[{"provider": "anthropic", "running": 2, "waiting": 1}])
        values = {}
        for metric in ("queue_depth", "queue_fill", "places_used"):
            (found,) = try_rule(AlertRule(name=metric, metric=metric, operator=">", threshold=0)) or []
            values[metric] = found.reading.value
        assert values == {"queue_depth": 9, "queue_fill": 80.0, "places_used": 100.0}


class TestTelling:
    """With a breaker, which opens and closes at will."""

    def test_it_must_hold_for_the_window(self) -> None:
        rule(metric="breaker_open", window=30)
        fleet(breakers=[breaker()])
        look(at(0))
        look(at(29))
        assert (open_now(), told()) == ([], [])
        assert Alert.objects.get().state == "pending"
        look(at(31))
        assert open_now() == ["anthropic"]
        assert len(told()) == 1

    def test_what_held_too_briefly_is_forgotten(self) -> None:
        rule(metric="breaker_open", window=30)
        fleet(breakers=[breaker()])
        look(at(0))
        fleet(breakers=[breaker("closed")])
        look(at(10))
        assert not Alert.objects.exists()

    def test_in_the_cooldown_nobody_is_told_and_afterwards_they_are(self) -> None:
        rule(metric="breaker_open", cooldown=60)
        fleet(breakers=[breaker()])
        look(at(0))
        fleet(breakers=[breaker("closed")])
        look(at(10))
        fleet(breakers=[breaker()])
        look(at(20))
        assert [state for state, _ in told()] == ["open", "resolved"]
        assert Alert.objects.count() == 2
        look(at(61))
        assert [state for state, _ in told()] == ["open", "resolved", "open"]

    def test_muted_it_is_written_down_and_told_when_the_mute_ends(self) -> None:
        rule(metric="breaker_open", muted_until=at(60))
        fleet(breakers=[breaker()])
        look(at(0))
        assert (open_now(), told()) == (["anthropic"], [])
        look(at(61))
        assert [state for state, _ in told()] == ["open"]

    def test_only_the_channels_of_the_rule(self) -> None:
        AlertChannel.objects.create(name="night", way="webhook")
        rule(metric="breaker_open", channels=["night"])
        fleet(breakers=[breaker()])
        look()
        assert Delivery.objects.get().channel.name == "night"

    def test_a_rule_that_is_switched_off_ends_its_alerts_without_a_word(self) -> None:
        rule(metric="breaker_open")
        fleet(breakers=[breaker()])
        look()
        AlertRule.objects.update(enabled=False)
        look()
        assert open_now() == []
        assert len(told()) == 1

    def test_a_rule_that_is_deleted_leaves_its_history(self) -> None:
        rule(metric="breaker_open")
        fleet(breakers=[breaker()])
        look()
        AlertRule.objects.all().delete()
        look()
        alert = Alert.objects.get()
        assert (alert.rule_name, alert.state) == ("r", "resolved")

    def test_a_test_of_a_rule_writes_nothing(self) -> None:
        tried = rule(metric="breaker_open")
        fleet(breakers=[breaker()])
        (found,) = try_rule(tried) or []
        assert found.holds
        assert not Alert.objects.exists()


def test_an_account_that_will_not_last() -> None:
    """Sixty percent are used when three of five hours are left: at this pace it will be 150."""
    name = "anthropic-ratelimit-unified-5h-"
    resets = timezone.now() + 3 * AN_HOUR
    said = {"utilization": "0.60", "reset": str(int(resets.timestamp())), "status": "allowed"}
    headers = [(name + what, value) for what, value in said.items()]
    organization = ("anthropic-organization-id", "org-1")
    keep([Sample(BODY, response_headers=[("content-type", "text/event-stream"), organization, *headers])])
    rule(metric="quota_forecast", operator=">", threshold=100)
    look()
    alert = Alert.objects.get(state="open")
    assert alert.subject == "org-1 5h"
    assert alert.value == pytest.approx(150, abs=1)


class TestBudgets:
    def window(self) -> dict[str, Any]:
        now = timezone.now()
        return {"window_start": now - AN_HOUR, "window_end": now + AN_HOUR}

    def test_how_much_is_used(self) -> None:
        Budget.objects.create(name="teams", scope="team", usd=100.0, tokens=1_000)
        standing = {"budget": "teams", "told_at": timezone.now()} | self.window()
        BudgetStanding.objects.create(subject="alpha", usd=20.0, tokens=900, **standing)
        BudgetStanding.objects.create(subject="beta", usd=20.0, tokens=0, **standing)
        rule(metric="budget_used", threshold=90)
        look()
        alert = Alert.objects.get()
        assert (alert.subject, alert.team, alert.value) == ("teams alpha", "alpha", 90.0)

    def test_warnings_of_the_gateway_are_told_once(self) -> None:
        values = {
            "budget": "teams", "scope": "team", "subject": "alpha", "period": "monthly", "unit": "US dollars",
            "used": 75.2, "amount": 100.0,
        }  # fmt: skip
        for threshold in (50, 75, 90, 100):
            BudgetEvent.objects.create(threshold=threshold, **values, **self.window())
        assert announce_budgets(timezone.now()) == 4
        assert announce_budgets(timezone.now()) == 0
        rows = Announcement.objects.order_by("pk")
        assert [(row.severity, row.team, row.kind) for row in rows] == [
            ("info", "alpha", "budget"), ("info", "alpha", "budget"), ("warning", "alpha", "budget"),
            ("critical", "alpha", "budget"),
        ]  # fmt: skip
        assert rows[1].title == "Budget teams of team alpha: 75 % used"
        assert "75.2 of 100 USD (monthly)" in rows[1].text
        assert Delivery.objects.count() == 4
        assert not BudgetEvent.objects.filter(delivered_at=None).exists()
