"""Each role on each page of a running Turnlog, and what is left when it is signed out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from dashboard.pages import PAGES
from tests.browser.trouble import Trouble
from tests.e2e.people import signed_in
from tests.e2e.whole_day.windows import ADDRESSES, Day, say, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

OF_WORDS = {"conversations", "grades"}
CLOSED: dict[str, set[str]] = {
    "admin": set(),
    "lead": set(),
    "member": set(),
    "ops": OF_WORDS,
    "stranger": ADDRESSES.keys() - {"me"},
}
"""The pages that each may not open."""


@pytest.mark.parametrize("who", CLOSED)
def test_each_role_on_each_page(day: Day, browser: Browser, trouble: Trouble, who: str) -> None:
    page = window(day, browser, trouble, who)
    page.goto(ADDRESSES["me"])
    shown = page.locator("[data-go]").evaluate_all("links => links.map(link => link.dataset.go)")
    assert set(shown) == {one.key for one in PAGES if one.name not in CLOSED[who]}
    for name, address in ADDRESSES.items():
        if name in CLOSED[who]:
            refused = page.request.get(address)
            assert refused.status == 403, address
            assert "<h1" in refused.text()
            continue
        page.goto(address)
        expect(page.locator("[aria-current=page]")).to_have_count(1)
        assert bool(page.get_by_role("link", name="Administration").count()) == (who != "stranger")
    trouble.expect_none(page)
    page.context.close()


def test_who_signs_out_is_told_nothing_more(day: Day, browser: Browser, trouble: Trouble) -> None:
    """The socket looks every 30 seconds who it speaks to; the page that asks knows with its next question."""
    session = signed_in(day.web, [("leaver", "member", "atlas")])["leaver"]
    page = window(Day(day.web, {"leaver": session}), browser, trouble, "leaver")
    page.goto("/d/live/")
    expect(page.locator("[data-state]")).to_have_text("live")
    say(day, "before-leaving")
    expect(page.locator("[data-rows] tr").first).to_contain_text("ada")
    agents, other = page.context.new_page(), page.context.new_page()
    agents.goto("/d/agents/")
    expect(agents.locator("[data-state]")).to_have_text("live")
    other.goto("/d/")
    other.locator(".sh-user summary").click()
    other.get_by_role("button", name="Sign out").click()
    expect(other.locator("[data-go]")).to_have_count(0)
    expect(agents.locator("[data-state]")).to_have_text("you are signed out")
    expect(page.locator("[data-state]")).to_have_text("you are signed out", timeout=35_000)
    say(day, "after-leaving")
    assert page.request.get("/d/live/since/", max_redirects=0).status == 302
    expect(page.locator("[data-state]")).to_have_text("you are signed out")
    other.goto("/d/live/")
    assert "/accounts/login/" in other.url
    trouble.expect_none(page)
    page.context.close()
