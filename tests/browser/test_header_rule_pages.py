"""A header rule's way in a real browser: made, refused without a dry run, tried, in shadow, live, changed, and back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Windows
from tests.browser.test_limits_pages import keep_picture
from tests.browser.trouble import Trouble
from tests.exchanges import Sample, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CUT_OFF = """() => [...document.querySelectorAll('#result_list [class*="field-"]')]
    .filter(cell => cell.scrollHeight > cell.clientHeight + 1 || cell.scrollWidth > cell.clientWidth + 1)
    .map(cell => cell.className.split(' ')[0])"""


@pytest.fixture
def traffic(transactional_db: None) -> None:
    body = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]}
    for beta in ("one-2026-01-01,fast-mode-2026-02-01", "one-2026-01-01"):
        keep([Sample(body, request_headers=[("anthropic-beta", beta), ("user-agent", "claude-cli/2.1.329")])])


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_a_rules_way(open_page: Windows, traffic: None, trouble: Trouble, width: int, scheme: str) -> None:
    page = open_page("/admin/gateway/headerrule/add/", width=width, scheme=scheme)
    for name, text in (("name", "no-fast-mode"), ("header", "anthropic-beta"), ("find", ",fast-mode-2026-02-01")):
        page.locator(f"#id_{name}").fill(text)
    page.locator("#id_action").select_option("replace")
    page.get_by_role("button", name="Save", exact=True).click()

    # It leads to its dry run, and cannot go live without one.
    expect(page.get_by_text("Not tried yet as it is written")).to_be_visible()
    expect(page.get_by_role("button", name="Put live")).to_be_disabled()
    keep_picture(page, f"headerrule-untried-{width}-{scheme}")
    tried = page.url
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("status")).to_contain_text("Of 2 requests 1 change, 1 touch anthropic-*")
    expect(page.locator(".tl-pairs tbody tr")).to_have_count(1)
    keep_picture(page, f"headerrule-tried-{width}-{scheme}")

    page.get_by_role("button", name="Shadow: record, do not apply").click()
    expect(page.get_by_text("no-fast-mode is shadow.")).to_be_visible()
    page.get_by_role("button", name="Put live").click()
    expect(page.get_by_text("no-fast-mode is live.")).to_be_visible()
    keep_picture(page, f"headerrule-live-{width}-{scheme}")
    page.goto("/admin/gateway/headerrule/")
    expect(page.locator("td.field-last_dry_run")).to_contain_text("0 break a header and body pair")
    keep_picture(page, f"headerrule-list-{width}-{scheme}")
    assert page.evaluate(CUT_OFF) == []

    # What it does changes, so that it is a draft again; one click brings the one that was live back.
    page.goto(tried.replace("dry-run", "change"))
    page.locator("#id_find").fill("one-2026-01-01")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is a draft now: what it does has changed")).to_be_visible()
    page.goto(tried)
    live = page.locator("tr", has_text="live").filter(has_text=",fast-mode")
    live.get_by_role("button", name="Go back to this").first.click()
    expect(page.locator(".tl-summary .tl-badge").first).to_have_text("live")
    keep_picture(page, f"headerrule-back-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    trouble.expect_none(page)
