"""The pages of a running Turnlog in a browser: the demonstration's history, and requests that come in meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright

from dashboard.pages import PAGES
from tests.browser.accessibility import grave_findings
from tests.browser.conftest import chromium_program
from tests.browser.test_admin_pages import brightness, fits
from tests.browser.trouble import ARGUMENTS, Trouble
from tests.e2e.configured import apply_and_wait, manage
from tests.e2e.people import signed_in
from tests.e2e.processes import WebProcess, beside
from tests.e2e.wire import ask
from tests.upstream import FakeProvider

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

KEY = "key-of-the-day-0123456789"
DOCUMENT = """
providers:
  - {{name: anthropic, dialect: anthropic, address: "{url}", credentials: [{{name: a, secret: sk-ant-api03-pool}}]}}
teams: [{{name: atlas}}, {{name: borealis}}, {{name: checkout}}, {{name: data}}, {{name: platform}}]
api_keys:
  - {{name: ada, key_env: KEY, team: atlas}}
"""
PEOPLE = [("admin", "superuser", ""), ("ops", "ops", ""), ("lead", "lead", "atlas"), ("member", "member", "atlas")]


class Day(NamedTuple):
    web: WebProcess
    sessions: dict[str, str]


@pytest.fixture(scope="module")
def day(
    demonstration_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Day]:
    web = WebProcess(tmp_path_factory.mktemp("day"), demonstration_url, **upstreams, KEY=KEY)
    manage(web, "demo", "--turns", "300", "--days", "5", "--yes")
    manage(web, "collectstatic", "--noinput")
    try:
        web.start()
        apply_and_wait(web, DOCUMENT.format(url=provider_thread.url))
        sessions = signed_in(web, PEOPLE)
        with beside(web, "loader"):
            yield Day(web, sessions)
    finally:
        web.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


def window(
    day: Day, browser: Browser, trouble: Trouble, who: str = "admin", width: int = 1440, scheme: Any = "light"
) -> Page:
    context = browser.new_context(base_url=day.web.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.add_cookies([{"name": "sessionid", "value": day.sessions[who], "url": day.web.url}])
    page = context.new_page()
    trouble.watch(page)
    return page


def say(day: Day, mark: str, scenario: bytes = b"text") -> None:
    asked = {
        "model": "claude-opus-5-5",
        "stream": True,
        "messages": [{"role": "user", "content": "x"}],
        "max_tokens": 9,
    }
    headers = [
        (b"x-api-key", KEY.encode()),
        (b"x-scenario", scenario),
        (b"x-claude-code-session-id", mark.encode()),
    ]
    assert ask(day.web, "POST", "/v1/messages", headers, json.dumps(asked).encode()).status == 200


ADDRESSES = ["/admin/", *(f"/d/{page.name}/" if page.name != "overview" else "/d/" for page in PAGES)]
ADDRESSES[ADDRESSES.index("/d/conversations/")] = "/d/c/"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_sound(day: Day, browser: Browser, trouble: Trouble, width: int, scheme: str) -> None:
    page = window(day, browser, trouble, width=width, scheme=scheme)
    say(day, "seen-by-all")
    wrong = []
    for address in ADDRESSES:
        page.goto(address)
        if not fits(page):
            wrong.append(f"{address} is wider than the window")
        if (brightness(page) > 0.5) != (scheme == "light"):
            wrong.append(f"{address} does not follow the scheme")
        wrong += [f"{address} {finding}" for finding in grave_findings(page)]
        wrong += [f"{address} {words}" for words in trouble.said + page.evaluate("window.refused")]
        trouble.said.clear()
    page.context.close()
    assert not wrong, "\n".join(wrong)


def test_each_key_leads_where_the_help_says(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble)
    page.goto("/d/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    told = page.locator("#help dt").all_inner_texts()
    assert {f"g {one.key}" for one in PAGES} <= {" ".join(keys.split()) for keys in told}
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    for one in PAGES:
        page.keyboard.press("g")
        page.keyboard.press(one.key)
        expect(page.locator(f'[data-go="{one.key}"][aria-current="page"]')).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text(one.title)
    trouble.expect_none(page)
    page.context.close()


def test_rows_are_walked_looked_into_and_left_and_the_theme_turns(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble)
    page.goto("/d/requests/?range=30d")
    page.keyboard.press("/")
    expect(page.locator("[data-search]").first).to_be_focused()
    page.keyboard.press("Escape")
    for key, number in (("j", 0), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        expect(page.locator("[data-walk] tr:has([data-row])").nth(number)).to_have_attribute("data-chosen", "")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer [data-peek-open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    page.keyboard.press("t")
    expect(page.get_by_text("Dark", exact=True)).to_be_visible()
    assert brightness(page) < 0.5
    page.reload()
    assert brightness(page) < 0.5
    trouble.expect_none(page)
    page.context.close()


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
    expect(page.locator(".rd-strip")).to_be_visible()
    trouble.expect_none(page)
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


@pytest.mark.parametrize("who", ["ops", "lead", "member"])
def test_each_is_shown_the_pages_they_may_open(day: Day, browser: Browser, trouble: Trouble, who: str) -> None:
    page = window(day, browser, trouble, who)
    page.goto("/d/")
    addresses = page.locator("[data-go]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert ("/d/c/" in addresses) == (who != "ops")
    for address in addresses:
        page.goto(address)
        expect(page.locator("[aria-current=page]")).to_have_count(1)
    trouble.expect_none(page)
    page.context.close()


class Finder:
    """Clicks, and counts them: whoever looks for something gives up after three."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        page.goto("/d/?range=7d")

    def click(self, name: str, *, within: str = "body") -> None:
        self.clicks += 1
        assert self.clicks <= 3
        self.page.locator(within).get_by_role("link", name=name, exact=True).first.click()


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
