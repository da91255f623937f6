"""What people look for is found in three clicks: each click is counted."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.trouble import Trouble
from tests.e2e.whole_day.windows import RULED, Day, say, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


class Finder:
    """Clicks, and counts them: whoever looks for something gives up after three."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        page.goto("/d/?range=7d")

    def click(self, name: str, *, within: str = "body") -> None:
        self.press(self.page.locator(within).get_by_role("link", name=name, exact=True))

    def press(self, link: Locator) -> None:
        self.clicks += 1
        assert self.clicks <= 3
        link.first.click()


def test_why_a_members_request_failed_is_found(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble, "lead")
    finder = Finder(page)
    finder.click("Errors", within="main")
    finder.click("open")
    expect(page.locator(".tl-notice-bad").first).to_be_visible()
    trouble.expect_none(page)
    page.context.close()


def test_who_spent_most_this_week_is_found(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble)
    finder = Finder(page)
    finder.click("Usage and cost", within="main")
    finder.click("Key")
    costs = page.locator(".su-table tbody tr td:nth-of-type(1)").all_inner_texts()
    figures = [float(cost.lstrip("≥≈~ $").replace(",", "")) for cost in costs if cost[-1:].isdigit()]
    assert len(figures) > 1
    assert figures == sorted(figures, reverse=True)
    expect(page.locator(".su-table tbody th a").first).to_be_visible()
    trouble.expect_none(page)
    page.context.close()


def test_whether_the_cap_will_be_hit_is_found(day: Day, browser: Browser, trouble: Trouble) -> None:
    say(day, "near-the-cap", b"text")
    page = window(day, browser, trouble, "ops")
    Finder(page).click("Quota", within="main")
    expect(page.get_by_text("Used up", exact=True).first).to_be_visible()
    trouble.expect_none(page)
    page.context.close()


def test_whether_anything_is_lost_is_found(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble, "ops")
    Finder(page).click("System health", within="#side")
    missing = page.locator(".pt-panel", has_text="Is anything missing?")
    expect(missing.get_by_text("it balances")).to_be_visible()
    expect(missing.get_by_text("accepted")).to_be_visible()
    trouble.expect_none(page)
    page.context.close()


def test_what_a_header_rule_changed_is_found(day: Day, browser: Browser, trouble: Trouble) -> None:
    say(day, "of-rule-7", model=RULED, extra=[(b"x-team", b"billing")])
    page = window(day, browser, trouble, "ops")
    finder = Finder(page)
    finder.click("Requests", within="#side")
    expect(page.locator("tr", has_text=RULED).filter(has_text="ada").first).to_be_visible()
    finder.press(page.locator("tr", has_text=RULED).filter(has_text="ada").locator("[data-row]"))
    finder.click("Headers", within="#drawer")
    rule = page.locator(".pt-panel", has_text="Fired: rule-7")
    expect(rule.locator("tbody tr", has_text="x-team")).to_contain_text("billing")
    expect(rule.locator("tbody tr", has_text="x-team")).to_contain_text("search")
    trouble.expect_none(page)
    page.context.close()
