"""On their own page people see what they may still use, when it begins anew, and nothing of other people's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from gateway.models import ApiKey, Budget, BudgetStanding, Limit, Team
from gateway.models.limits import EXEMPT
from gateway.policy.windows import Period, window_at
from tests.dashboard.people import client_of, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    team = Team.objects.get_or_create(name="alpha")[0]
    ApiKey.objects.create(name="others", owner=person("other"), digest=b"o" * 32)
    return ApiKey.objects.create(name="mine", owner=person("member"), team=team, digest=b"m" * 32)


def stands(budget: str, subject: str, usd: float, tokens: float = 0.0) -> None:
    window = window_at(Period.DAILY, "UTC", timezone.now().timestamp())
    start, end = (datetime.fromtimestamp(at, UTC) for at in (window.start, window.end))
    values = {"usd": usd, "tokens": tokens, "window_end": end, "told_at": timezone.now()}
    BudgetStanding.objects.create(budget=budget, subject=subject, window_start=start, **values)


def page(role: str = "member") -> str:
    return client_of(role).get("/d/me/").content.decode()


def test_what_is_left_of_a_budget_and_when_it_begins_anew(key: ApiKey) -> None:
    Budget.objects.create(name="people", scope="member", period="daily", usd=10)
    Budget.objects.create(name="team", scope="team", period="daily", tokens=2_000_000, models=["claude-*"])
    stands("people", "member", 9.25)
    stands("people", "other", 3.0)
    stands("team", "alpha", 0, 500_000)
    shown = page()
    assert "$0.75 left of $10.00" in shown
    assert 'data-tone="warn"' in shown
    assert "1.5M tokens left of 2M" in shown or "1.50M tokens left of 2.00M" in shown
    tomorrow = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%d 00:00 UTC")
    assert f"begins anew {tomorrow}" in shown
    assert "other" not in shown.split("Your budgets")[1].split("Your places")[0].replace(
        "every other client", ""
    ).replace("Every other client", "")


def test_a_spent_budget_says_so(key: ApiKey) -> None:
    Budget.objects.create(name="mine-only", scope="key", names=["mine"], period="daily", usd=1)
    stands("mine-only", "mine", 1.5)
    assert "spent; begins anew" in page()
    assert "$0.00 left of $1.00" in page()


def test_an_old_window_does_not_count(key: ApiKey) -> None:
    Budget.objects.create(name="people", scope="member", period="daily", usd=10)
    stands("people", "member", 4.0)
    old = timezone.now() - timedelta(days=1)
    BudgetStanding.objects.update(window_start=old, window_end=old)
    assert "$10.00 left of $10.00" in page()


def test_limits_and_what_is_not_about_oneself(key: ApiKey) -> None:
    Limit.objects.create(name="slowly", scope="key", requests_per_minute=60, concurrent=4)
    Limit.objects.create(name="not-mine", scope="key", names=["robot-*"], requests_per_minute=1)
    Budget.objects.create(name="off", scope="member", period="daily", usd=1, enabled=False)
    shown = page()
    assert "60 requests a minute, 4 at once" in shown
    assert "not-mine" not in shown
    assert "None is about your keys." in shown


def test_who_is_exempt_is_told(key: ApiKey) -> None:
    Budget.objects.create(name="people", scope="member", period="daily", usd=10)
    user = person("member")
    assert user is not None
    user.user_permissions.add(Permission.objects.get(codename=EXEMPT))
    shown = page()
    assert "No limit and no budget is about mine." in shown
    assert "left of" not in shown
