"""Pages that move by themselves, in a real browser: what their reader did to them stays."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Windows
from tests.browser.trouble import Trouble
from tests.dashboard.test_figure_pages import burning

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value; })
    .observe({ type: 'layout-shift' });
"""
AWAY = "(away) => Object.defineProperty(document, 'hidden', { get: () => away, configurable: true })"
RENEW = "document.dispatchEvent(new Event('visibilitychange'))"
TAKE_NOTE = """() => {
    document.querySelector('#quota').dataset.former = '';
    window.gone = 0;
    for (const { plot } of [...document.querySelectorAll('figure[data-chart]')].filter(one => one.plot)) {
        const destroy = plot.destroy;
        plot.destroy = () => { window.gone += 1; destroy.call(plot); };
    }
}"""
RENEWED = "#quota:not([data-former], .htmx-settling)"


def renew(page: Page) -> None:
    """What every half minute does, and coming back to the page."""
    page.evaluate(TAKE_NOTE)
    page.evaluate(RENEW)
    expect(page.locator(RENEWED)).to_have_count(1)


@pytest.mark.parametrize("width", [1440, 390])
def test_quota_renews_itself_and_leaves_everything_where_it_was(
    open_page: Windows, trouble: Trouble, width: int
) -> None:
    burning(1.6, timezone.now())
    page = open_page("/d/quota/?team=alpha", width=width)
    table = page.get_by_role("region", name="5h window, percent used")
    page.locator(".qu-window summary").click()
    table.evaluate("box => box.scrollTo(0, 120)")
    page.locator(".qu-burners a").focus()
    page.evaluate("window.scrollTo(0, 200)")
    page.evaluate(WATCH_SHIFTS)
    for _ in range(2):
        renew(page)
        expect(table).to_be_visible()
        expect(page.locator(".qu-burners a")).to_be_focused()
        assert table.evaluate("box => box.scrollTop") == 120
        assert page.evaluate("window.scrollY") == 200
        assert page.evaluate("window.gone") == 1, "a chart that is gone listens on"
        assert page.evaluate("document.querySelector('.qu-window figure').plot.root.isConnected")
        expect(page.locator(".pt-canvas canvas")).to_have_count(1)
    assert (
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(window.shifted))))") == 0
    )
    assert page.url.endswith("/d/quota/?team=alpha")
    trouble.expect_none(page)


def test_what_comes_above_does_not_push_away_what_is_read(open_page: Windows, trouble: Trouble) -> None:
    burning(1.6, timezone.now())
    page = open_page("/d/quota/", width=390)
    page.evaluate("document.querySelector('#quota > .tl-notice').remove()")
    page.evaluate("window.scrollTo(0, 300)")
    top = "document.querySelector('.qu-window').getBoundingClientRect().top"
    before = page.evaluate(top)
    renew(page)
    expect(page.locator("#quota > .tl-notice")).to_have_count(1)
    assert page.evaluate(top) == pytest.approx(before, abs=1)


def test_nothing_is_asked_for_while_nobody_looks_or_a_text_is_marked(open_page: Windows, trouble: Trouble) -> None:
    burning(1.6, timezone.now())
    page = open_page("/d/quota/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/d/" in request.url else None)
    page.evaluate(AWAY, True)
    page.evaluate(RENEW)
    page.evaluate(AWAY, False)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.qu-facts'))")
    page.evaluate(RENEW)
    assert asked == []
    page.evaluate("getSelection().removeAllRanges()")
    renew(page)
    assert [address.endswith("/d/quota/") for address in asked] == [True]
    trouble.expect_none(page)


def test_who_is_signed_out_keeps_what_was_there(open_page: Windows) -> None:
    burning(1.6, timezone.now())
    page = open_page("/d/quota/")
    page.context.clear_cookies()
    with page.expect_response("**/accounts/login/**"):
        page.evaluate(RENEW)
    expect(page.locator("#quota:not(.htmx-request)")).to_have_count(1)
    expect(page.locator(".qu-window")).to_be_visible()


RECORDS = [
    {"id": f"{number:08d}-0000-0000-0000-000000000000", "at": 1e9 + number, "team": team, "key": key, **more}
    for number, (team, key, more) in enumerate(
        [
            ("alpha", "ada", {"model": "opus", "to": "claude-opus-5-5", "provider": "anthropic"}),
            ("alpha", "ada", {"model": "opus", "to": "other-opus", "provider": "elsewhere"}),
            ("alpha", "adam", {"model": "claude-opus-5-5", "provider": "anthropic"}),
            ("beta", "ada", {"model": "claude-opus-5-5", "provider": "anthropic"}),
        ]
    )
]


def tell(route: Route, request: Request) -> None:
    told = {"boot": "b", "seq": 4, "whole": True, "tellers": 1, "records": RECORDS}
    route.fulfill(content_type="application/json", body=json.dumps(told))


@pytest.mark.parametrize(
    ("narrowed", "shown"),
    [
        ("", 4),
        ("team=alpha", 3),
        ("key=ada", 3),
        ("team=alpha&key=ada", 2),
        ("model=claude-opus-5-5", 3),
        ("model=opus&provider=elsewhere", 1),
        ("team=alpha&q=key:adam", 1),
        ("model=opus-5", 0),
    ],
)
def test_live_shows_what_its_address_narrows_it_to(
    open_page: Windows, trouble: Trouble, narrowed: str, shown: int
) -> None:
    page = open_page("/d/me/")
    page.route("**/d/live/since/**", tell)
    page.route_web_socket("**/d/ws/live", lambda socket: socket.close())
    page.goto(f"/d/live/?{narrowed}")
    expect(page.locator("[data-shown]")).to_have_text(str(shown))
    expect(page.locator("[data-running]")).to_have_text(str(shown))
    expect(page.locator("[data-rows] tr")).to_have_count(shown)


def test_a_choice_in_the_bar_leaves_the_filter_of_live(open_page: Windows, trouble: Trouble) -> None:
    page = open_page("/d/me/")
    page.route_web_socket("**/d/ws/live", lambda socket: socket.close())
    page.goto("/d/live/?range=7d&team=alpha&q=is:failed")
    page.locator("[data-search]").fill("is:running")
    page.get_by_label("Team").select_option("")
    page.wait_for_url("**/d/live/?range=7d&q=is%3Arunning")
    expect(page.locator("[data-search]")).to_have_value("is:running")
    trouble.expect_none(page)
