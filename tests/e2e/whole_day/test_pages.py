"""The pages of a running Turnlog in a browser: the demonstration's history, and requests that come in meanwhile."""

from __future__ import annotations

import threading

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.accessibility import grave_findings
from tests.browser.test_admin_pages import brightness, fits
from tests.browser.trouble import Trouble
from tests.e2e.whole_day.agents import at_work
from tests.e2e.whole_day.windows import ADDRESSES, Day, say, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_sound(day: Day, browser: Browser, trouble: Trouble, width: int, scheme: str) -> None:
    page = window(day, browser, trouble, width=width, scheme=scheme)
    say(day, "seen-by-all")
    wrong = []
    with at_work(day):
        for address in ["/admin/", *ADDRESSES.values()]:
            wrong += wrongs(page, address, scheme, trouble)
    page.context.close()
    assert not wrong, "\n".join(wrong)


def wrongs(page: Page, address: str, scheme: str, trouble: Trouble) -> list[str]:
    page.goto(address)
    if address == ADDRESSES["agents"]:
        expect(page.locator(".lv-card").first).to_be_visible()
    wrong = [f"{address} {finding}" for finding in grave_findings(page)]
    if not fits(page):
        wrong.append(f"{address} is wider than the window")
    if (brightness(page) > 0.5) != (scheme == "light"):
        wrong.append(f"{address} does not follow the scheme")
    wrong += [f"{address} {words}" for words in trouble.said + page.evaluate("window.refused")]
    trouble.said.clear()
    return wrong


def test_a_request_shows_moves_and_leads_to_its_record(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble, "lead")
    page.goto("/d/live/?q=session:to-follow")
    expect(page.locator("[data-state]")).to_have_text("live")
    client = threading.Thread(target=say, args=(day, "to-follow", b"slow;ms=300;first_ms=500"))
    client.start()
    row = page.locator("[data-rows] tr").first
    expect(row).to_contain_text("waits")
    expect(row).to_contain_text("200")
    expect(row.locator(".lv-good")).to_be_visible(timeout=20_000)
    client.join(20)
    page.get_by_role("button", name="Pause").click()
    say(day, "to-follow")
    expect(page.locator("[data-held-count]")).to_have_text("1")
    expect(page.locator("[data-rows] tr")).to_have_count(1)
    page.keyboard.press("p")
    expect(page.locator("[data-rows] tr")).to_have_count(2)
    page.locator("[data-search]").fill("session:nobody")
    expect(page.locator("[data-rows] tr")).to_have_count(0)
    assert page.url.endswith("?q=session%3Anobody")
    page.locator("[data-search]").fill("session:to-follow")
    row.locator("a").click()
    expect(page.locator("#drawer [data-peek-open]")).to_be_visible()
    assert "peek=" in page.url
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    row.locator("a").click()
    page.locator("#drawer [data-peek-open]").click()
    expect(page.locator(".rd-strip")).to_be_visible()
    trouble.expect_none(page)
    page.context.close()


def test_what_is_opened_before_it_is_stored_is_waited_for(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble, "lead")
    page.goto("/d/live/?q=session:too-early")
    expect(page.locator("[data-state]")).to_have_text("live")
    client = threading.Thread(target=say, args=(day, "too-early", b"slow;ms=700;first_ms=500"))
    client.start()
    page.locator("[data-rows] tr a").first.click()
    expect(page.get_by_role("heading", name="Not in the history yet")).to_be_visible()
    expect(page.get_by_text("Not there yet.")).to_be_visible()
    assert not grave_findings(page)
    assert [words for words in trouble.said if not words.startswith(("404 ", "Failed to load"))] == []
    trouble.said.clear()  # that page is a 404
    expect(page.locator(".rd-strip")).to_be_visible()
    trouble.expect_none(page)
    client.join(60)
    page.context.close()


def test_without_a_socket_it_asks_every_two_seconds(day: Day, browser: Browser, trouble: Trouble) -> None:
    def refuse(socket: WebSocketRoute) -> None:
        socket.close()

    page = window(day, browser, trouble, "ops")
    page.route_web_socket("**/d/ws/live", refuse)
    page.goto("/d/live/?q=session:by-asking")
    expect(page.locator("[data-state]")).to_have_text("by asking every two seconds")
    say(day, "by-asking")
    expect(page.locator("[data-rows] .lv-good")).to_have_count(1)
    page.context.close()
