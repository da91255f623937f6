"""The keyboard on every page of a running Turnlog."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.pages import PAGES
from tests.browser.test_admin_pages import brightness
from tests.browser.trouble import Trouble
from tests.e2e.processes import until
from tests.e2e.whole_day.windows import ADDRESSES, Day, say, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

WALKED = ("overview", "live", "agents", "requests", "conversations", "errors", "usage", "models")
"""Pages with rows; those of alerts and grades are there when something went wrong, or was graded."""
LOOKED_INTO = ("live", "requests", "conversations")
LIVE = ("live", "agents")
THEMES = ("Dark", "Light", "As the system")
CHOSEN = "[data-chosen] [data-row], [data-row][data-chosen]"


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_keys_do_on_every_page_what_the_help_says(day: Day, browser: Browser, trouble: Trouble, name: str) -> None:
    page = window(day, browser, trouble)
    page.goto(ADDRESSES[name] + ("" if name in LIVE else "?range=7d"))
    if name in LIVE:
        hears(page, day)
    helps(page)
    searches(page)
    turns_the_theme(page)
    if name in LIVE:
        pauses(page)
    trouble.expect_none(page)
    if name in WALKED:
        walks(page)
        enters(page, looks_into=name in LOOKED_INTO)
    trouble.expect_none(page)
    page.context.close()


def hears(page: Page, day: Day) -> None:
    """The gateway tells what it does once it knows that somebody watches."""
    expect(page.locator("[data-state]")).to_have_text("live")

    def two_are_told() -> bool:
        say(day, "walked-to")
        say(day, "walked-on-to")
        rows = page.locator("[data-walk] [data-row]")
        with suppress(AssertionError):
            expect(rows.nth(1)).to_be_visible(timeout=2_000)
        return rows.count() > 1

    until(two_are_told, 60, "rows of what was just said")


def helps(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    told = [" ".join(keys.split()) for keys in page.locator("#help dt").all_inner_texts()]
    assert {"/", "j k", "Enter", "Esc", "t", *(f"g {one.key}" for one in PAGES)} <= set(told)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def searches(page: Page) -> None:
    """What is typed there is typed, and no key."""
    page.keyboard.press("/")
    field = page.locator("[data-search]").first
    expect(field).to_be_focused()
    page.keyboard.type("?tgq/")
    expect(field).to_have_value("?tgq/")
    expect(page.get_by_role("dialog")).to_be_hidden()
    field.fill("")
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()


def turns_the_theme(page: Page) -> None:
    for theme in THEMES:
        page.keyboard.press("t")
        expect(page.locator("#said")).to_have_text(theme)
        assert (brightness(page) < 0.5) == (theme == "Dark")


def pauses(page: Page) -> None:
    button = page.locator("[data-pause]")
    for pressed in ("true", "false"):
        page.keyboard.press("p")
        expect(button).to_have_attribute("aria-pressed", pressed)


def walks(page: Page) -> None:
    rows = page.locator("[data-walk] [data-row]")
    expect(rows.first).to_be_visible()
    chosen = page.locator(CHOSEN)
    page.keyboard.press("j")
    expect(chosen).to_have_count(1)
    first = chosen.get_attribute("href")
    if rows.count() > 1:
        page.keyboard.press("j")
        expect(chosen).not_to_have_attribute("href", first or "")
        page.keyboard.press("k")
        expect(chosen).to_have_attribute("href", first or "")


def enters(page: Page, *, looks_into: bool) -> None:
    whole: str = page.locator(CHOSEN).evaluate("link => link.href")
    address = urlsplit(whole).path
    for link in page.locator("[data-walk] [data-row]").all()[:2]:
        # What is only just over is not in the history yet.
        until(partial(is_there, page, link.evaluate("link => link.href")), 60, "the page it leads to")
        if looks_into:
            expect(link).to_have_attribute("data-peek", re.compile("."))
    page.keyboard.press("Enter")
    if looks_into:
        expect(page.locator(f'#drawer [data-peek-open][href^="{address}"]')).to_be_visible()
        page.keyboard.press("j")
        expect(page.locator(f'#drawer [data-peek-open]:not([href^="{address}"])')).to_be_visible()
        page.keyboard.press("k")
        expect(page.locator(f'#drawer [data-peek-open][href^="{address}"]')).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#drawer")).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.locator("#drawer [data-peek-open]")).to_be_visible()
        page.keyboard.press("Enter")
    page.wait_for_url(whole)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def is_there(page: Page, address: str) -> bool:
    return page.request.get(address).ok


def test_each_key_leads_where_the_help_says(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble)
    page.goto("/d/")
    for one in [*PAGES, PAGES[0]]:
        page.keyboard.press("g")
        page.keyboard.press(one.key)
        expect(page.locator(f'[data-go="{one.key}"][aria-current="page"]')).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text(one.title)
    trouble.expect_none(page)
    page.context.close()


def test_a_request_is_turned_over_and_left_for_its_neighbours(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble)
    page.goto("/d/c/?range=30d")
    of_one = page.locator(".cv-figures div:first-child dd", has_text=re.compile("^1$"))
    page.locator(".cv-item").filter(has_not=of_one).first.locator("[data-row]").click()
    page.locator("#drawer [data-peek-open]").click()
    page.locator('a[href^="/d/r/"]').first.click()
    expect(page.locator(".rd-strip")).to_be_visible()
    step, back = ("[", "]") if page.locator("[data-before]").count() else ("]", "[")
    here = page.url
    page.keyboard.press(step)
    expect(page).not_to_have_url(here)
    page.keyboard.press(back)
    expect(page).to_have_url(here)
    page.keyboard.press("r")
    expect(page.locator('[data-tab="raw"][aria-current]')).to_be_visible()
    expect(page.locator(".rd-bytes").first).to_be_visible()
    trouble.expect_none(page)
    page.context.close()


def test_the_theme_stays(day: Day, browser: Browser, trouble: Trouble) -> None:
    page = window(day, browser, trouble)
    page.goto("/d/")
    page.keyboard.press("t")
    expect(page.locator("#said")).to_have_text("Dark")
    page.goto("/d/requests/")
    assert brightness(page) < 0.5
    trouble.expect_none(page)
    page.context.close()
