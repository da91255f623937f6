"""The lists in a real browser: the drawer beside them, by keys and by hand, and views kept under a name."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dashboard.queries.request_columns import COLUMNS
from gateway.history.rollups import roll_up_all
from tests.browser.accessibility import grave_findings
from tests.browser.conftest import Windows
from tests.browser.test_admin_pages import fits
from tests.browser.trouble import Trouble
from tests.browser.working_day import working_day
from tests.exchanges import keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def day(transactional_db: None) -> list[uuid.UUID]:
    ids = keep(working_day())
    roll_up_all()
    return ids


def peeked(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("peek", [""])[0]


def test_a_row_is_looked_into_walked_from_and_opened(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble
) -> None:
    page = open_page("/d/requests/?q=is:streaming")
    drawer = page.locator("#drawer")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(drawer.get_by_role("link", name="Open", exact=False).first).to_be_visible()
    first = peeked(page)
    page.keyboard.press("j")
    expect(drawer.locator(f'[data-peek-open]:not([href="/d/r/{first}/"])')).to_be_visible()
    second = peeked(page)
    assert second != first
    page.reload()
    expect(drawer.locator(f'[data-peek-open][href="/d/r/{second}/"]')).to_be_visible()
    assert grave_findings(page) == []
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert "q=is" in page.url
    page.locator(f'a[data-peek="{first}"]').click()
    expect(drawer.locator(f'[data-peek-open][href="/d/r/{first}/"]')).to_be_visible()
    page.go_back()
    expect(drawer).to_be_hidden()
    page.locator(f'a[data-peek="{first}"]').click()
    expect(drawer).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/d/r/{first}/")
    trouble.expect_none(page)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_the_drawer_fits(open_page: Windows, day: list[uuid.UUID], trouble: Trouble, width: int, scheme: str) -> None:
    for address in ("/d/requests/", "/d/c/"):
        page = open_page(address, width=width, scheme=scheme)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("#drawer .pk-head")).to_be_visible()
        assert fits(page)
        assert grave_findings(page) == []
        page.get_by_role("button", name="Close").first.click()
        expect(page.locator("#drawer")).to_be_hidden()
        trouble.expect_none(page)
        page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_all_columns_fit_and_are_chosen_from(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble, width: int, scheme: str
) -> None:
    every = "+".join(column.name for column in COLUMNS)
    page = open_page(f"/d/requests/?range=7d&columns={every}", width=width, scheme=scheme)
    assert fits(page)
    menu = page.locator(".cl-menu")
    menu.locator("summary").click()
    box = menu.locator("> div").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert fits(page)
    assert grave_findings(page) == []
    for column in COLUMNS:
        if column.name not in ("session", "cost"):
            menu.get_by_label(column.label, exact=True).uncheck()
    menu.get_by_role("button", name="Show").click()
    page.wait_for_url(lambda address: address.endswith("/d/requests/?range=7d&columns=session+cost"))
    expect(page.locator(".tl-rows tbody tr").first.locator("td")).to_have_count(3)
    page.get_by_role("link", name="24 h").click()
    page.wait_for_url(lambda address: address.endswith("?range=24h&columns=session+cost"))
    expect(page.locator(".tl-rows tbody tr").first.locator("td")).to_have_count(3)
    trouble.expect_none(page)


def test_a_view_is_kept_and_asked_again(open_page: Windows, day: list[uuid.UUID], trouble: Trouble) -> None:
    page = open_page("/d/requests/?q=is:failed&range=7d")
    page.locator(".vw-menu summary").click()
    page.get_by_label("Name of this view").fill("What fails")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".vw-menu summary")).to_have_text("Views: What fails")
    page.goto("/d/requests/")
    page.locator(".vw-menu summary").click()
    page.get_by_role("link", name="What fails").click()
    assert "q=is%3Afailed" in page.url
    assert grave_findings(page) == []
    page.locator(".vw-menu summary").click()
    page.get_by_role("button", name="Remove What fails").click()
    expect(page.locator(".vw-menu summary")).to_have_text("Views")
    trouble.expect_none(page)
