"""Names that would do harm, while what they name is under way: the live pages and the drawers beside lists. What the
history's own pages make of them is walked through by SEC-06 of docs/reliability.md."""

from __future__ import annotations

import threading
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.probes import PROBES
from tests.browser.trouble import Trouble
from tests.e2e.processes import until
from tests.e2e.whole_day.windows import Day, say, window
from tests.e2e.wire import Pairs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NAMED = [probe for probe in PROBES if not any(ord(letter) < 32 for letter in probe)]
"""A header holds no control characters."""
OF_A_PAGE = 20
"""Fewer than any list shows at once."""
HARM = """() => [...document.querySelectorAll('*')].filter(e =>
    ['href', 'src', 'action'].some(name => /^\\s*(javascript|vbscript):/i.test(e.getAttribute(name) || ''))
    || [...e.attributes].some(a => /^on/i.test(a.name))).map(e => e.outerHTML.slice(0, 200))"""


def harmless(page: Page, trouble: Trouble) -> None:
    assert page.evaluate(HARM) == []
    trouble.expect_none(page)
    assert trouble.hosts <= {urlsplit(page.url).netloc}


def say_harm(day: Day, probe: str, *, slowly: bool = False) -> None:
    value = probe.encode()
    extra: Pairs = [(b"user-agent", value), (b"x-claude-code-agent-id", value), (b"x-team", value)]
    scenario = f"{'slow;ms=400;' if slowly else 'text;'}text={quote(probe, safe='')}"
    say(day, probe, scenario.encode(), model=probe, extra=extra)


def test_nothing_that_is_under_way_runs_or_loads_anything(day: Day, browser: Browser, trouble: Trouble) -> None:
    live, agents = (window(day, browser, trouble) for _ in range(2))
    live.goto("/d/live/?q=%3C")
    expect(live.locator("[data-state]")).to_have_text("live")
    agents.goto("/d/agents/")
    clients = [threading.Thread(target=say_harm, args=(day, probe), kwargs={"slowly": True}) for probe in NAMED[:6]]
    for client in clients:
        client.start()
    expect(live.locator("[data-rows] .lv-on").first).to_be_visible()
    expect(agents.locator(".lv-card", has_text=NAMED[0][:14]).first).to_be_visible()
    harmless(live, trouble)
    harmless(agents, trouble)
    for client in clients:
        client.join(60)
    for probe in NAMED[6:]:
        say_harm(day, probe)
    expect(live.locator("[data-rows] tr")).to_have_count(sum("<" in probe for probe in NAMED), timeout=20_000)
    expect(live.get_by_text(NAMED[-1], exact=True).first).to_be_visible()
    harmless(live, trouble)
    expect(agents.locator(".lv-idle li").first).to_be_visible()
    harmless(agents, trouble)
    live.context.close()
    agents.context.close()


def look_into_each(page: Page, trouble: Trouble, number: int) -> None:
    """The newest rows of a list, one after the other, with the drawer open."""
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    for at in range(number):
        expect(page.locator("#drawer [data-peek-open]")).to_be_visible()
        expect(page.locator("#drawer")).not_to_have_attribute("aria-busy", "true")
        page.evaluate("document.querySelectorAll('#drawer details').forEach(fold => fold.open = true)")
        harmless(page, trouble)
        if at + 1 < number:
            before = page.url
            page.keyboard.press("j")
            expect(page).not_to_have_url(before)


@pytest.mark.parametrize("address", ["/d/requests/", "/d/c/"])
def test_nothing_that_is_looked_into_runs_or_loads_anything(
    day: Day, browser: Browser, trouble: Trouble, address: str
) -> None:
    page = window(day, browser, trouble)
    rows = page.locator("[data-walk] [data-row]")
    for first in range(0, len(NAMED), OF_A_PAGE):
        named = NAMED[first : first + OF_A_PAGE]
        for probe in named:
            say_harm(day, probe)

        def are_listed(newest: str = named[-1]) -> bool:
            page.goto(f"{address}?range=1h")
            return newest in page.locator("[data-walk]").inner_text()

        until(are_listed, 60, "the newest is in the list")
        assert rows.count() >= len(named)
        look_into_each(page, trouble, len(named))
    page.context.close()
