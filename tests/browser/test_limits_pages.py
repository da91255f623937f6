"""Limits, budgets and kept answers in the admin, in a real browser."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from gateway.models import Budget, BudgetEvent, BudgetStanding, CacheRule, Limit
from gateway.policy.windows import Period, window_at
from tests.browser.conftest import Windows
from tests.browser.trouble import Trouble

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = "<img src=x onerror=alert(1)>"
SPENT = {"search": (412.5, 80e6), "platform": (1530.0, 300e6), "mobile": (1985.25, 391e6), HOSTILE: (2011.0, 400e6)}


@pytest.fixture
def rules(transactional_db: None) -> Budget:
    """A working set of rules, and what was spent of them."""
    Limit.objects.create(name="everybody", scope="key", requests_per_second=5, burst=20, concurrent=12)
    Limit.objects.create(name="opus", scope="team", models=["claude-opus-*"], tokens_per_minute=500_000)
    budget = Budget.objects.create(name="engineering", scope="team", usd=2000, zone="Europe/Berlin", message="Ask us")
    Budget.objects.create(name="each-person", scope="member", period="daily", usd=25, tokens=10_000_000)
    CacheRule._default_manager.create(name="tests", keys=["ci-*"], ignore_fields=["metadata"])
    window = window_at(Period.MONTHLY, budget.zone, timezone.now().timestamp())
    start, end = (datetime.fromtimestamp(moment, UTC) for moment in window)
    for team, (usd, tokens) in SPENT.items():
        BudgetStanding.objects.create(
            budget=budget.name, subject=team, window_start=start, window_end=end, usd=usd, tokens=tokens,
            told_at=timezone.now(),
        )  # fmt: skip
    BudgetEvent.objects.create(
        budget=budget.name, scope="team", subject="mobile", period="monthly", window_start=start, window_end=end,
        threshold=90, unit="US dollars", used=1802.3, amount=2000,
    )  # fmt: skip
    return budget


def keep_picture(page: Page, name: str) -> None:
    """For a person to look at, where KEEP_PICTURES_IN names a directory."""
    if directory := os.environ.get("KEEP_PICTURES_IN"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("page_name", ["limit", "budget", "budgetstanding", "budgetevent", "cacherule"])
def test_lists_fit_and_say_what_they_show(
    open_page: Windows, rules: Budget, trouble: Trouble, page_name: str, width: int, scheme: str
) -> None:
    page = open_page(f"/admin/gateway/{page_name}/", width=width, scheme=scheme)
    keep_picture(page, f"{page_name}-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    trouble.expect_none(page)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_budget_shows_its_present_standing(
    open_page: Windows, rules: Budget, trouble: Trouble, width: int, scheme: str
) -> None:
    page = open_page(f"/admin/gateway/budget/{rules.pk}/change/", width=width, scheme=scheme)
    keep_picture(page, f"budget-form-{width}-{scheme}")
    expect(page.locator(".tl-budget").first).to_contain_text("101 %")
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    expect(page.locator("img[src='x']")).to_have_count(0)
    page.get_by_role("link", name="All of them").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(len(SPENT))
    trouble.expect_none(page)


def test_a_limit_without_a_bound_is_refused_with_what_to_do(open_page: Windows, rules: Budget) -> None:
    page = open_page("/admin/gateway/limit/add/")
    page.get_by_label("Name:").or_(page.locator("#id_name")).first.fill("empty")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("A limit needs at least one bound")).to_be_visible()
    keep_picture(page, "limit-form")
    page.locator("#id_concurrent").fill("4")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("empty")


def test_a_cache_rule_is_made_in_the_admin(open_page: Windows, rules: Budget, trouble: Trouble) -> None:
    page = open_page("/admin/gateway/cacherule/add/")
    page.locator("#id_name").fill("fleet")
    page.locator("#id_models").fill("claude-haiku-*")
    keep_picture(page, "cache-form")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("claude-haiku-*")
    trouble.expect_none(page)
