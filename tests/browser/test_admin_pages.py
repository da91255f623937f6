"""The history in a real browser: sign in, find a request, read it; on a phone, in the dark, and under attack."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from gateway.dialects.names import Outcome
from tests.browser.conftest import Windows
from tests.browser.probes import PROBES
from tests.browser.trouble import Trouble
from tests.browser.working_day import PROMPT, working_day
from tests.exchanges import Sample, keep, message_stream

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/gateway/requestlog/"


@pytest.fixture
def day(transactional_db: None) -> list[uuid.UUID]:
    """An hour of requests; the last is the end of a conversation."""
    return keep(working_day())


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def brightness(page: Page) -> float:
    """Of what lies behind the text, from 0 (black) to 1."""
    return float(
        page.evaluate(
            """() => {
                const canvas = document.createElement('canvas').getContext('2d');
                canvas.fillStyle = getComputedStyle(document.querySelector('#main') || document.body).backgroundColor;
                canvas.fillRect(0, 0, 1, 1);
                const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
                return (red + green + blue) / 765;
            }"""
        )
    )


def test_signing_in_leads_to_the_page_that_was_asked_for(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble
) -> None:
    User.objects.create_superuser("lead", "lead@example.com", "a long password")
    page = open_page(LIST, signed_in=False)
    page.get_by_label("Username").fill("lead")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".tl-rows tbody tr")).to_have_count(len(day))
    trouble.expect_none(page)


def test_a_request_is_found_by_filters_and_read(open_page: Windows, day: list[uuid.UUID], trouble: Trouble) -> None:
    page = open_page(LIST)
    page.get_by_label("Outcome").select_option("upstream_error")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".tl-rows tbody tr")).to_have_count(1)
    page.locator(".tl-rows tbody tr").click()
    expect(page.locator(".tl-notice-bad")).to_contain_text("overloaded_error")
    page.go_back()
    assert "outcome=upstream_error" in page.url
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.locator(".tl-rows tbody tr")).to_have_count(len(day))
    trouble.expect_none(page)


def test_a_session_is_one_click_away_and_walked_through(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble
) -> None:
    page = open_page(LIST)
    page.locator(".tl-session a").first.click()
    expect(page.locator(".tl-chip")).to_be_visible()
    page.locator(".tl-row-link").first.click()
    page.locator(".b-known > details > summary").click()
    expect(page.locator(".b-prose", has_text=PROMPT)).to_be_visible()
    page.locator("[data-before]").click()
    page.locator("[data-after]").click()
    assert page.url.endswith(f"/d/r/{day[-1]}/")
    trouble.expect_none(page)


def test_pages_are_walked_to_the_end_and_back(open_page: Windows, transactional_db: None, trouble: Trouble) -> None:
    request = {"model": "claude-opus-5-5", "messages": []}
    ids = keep([Sample(request) for _ in range(120)])
    page = open_page(LIST)
    counts = [page.locator(".tl-rows tbody tr").count()]
    while page.get_by_role("link", name="Older").count():
        page.get_by_role("link", name="Older").first.click()
        counts.append(page.locator(".tl-rows tbody tr").count())
    assert counts == [50, 50, 20]
    assert str(ids[0]) in (page.locator(".tl-row-link").last.get_attribute("href") or "")
    page.get_by_role("link", name="Newest").first.click()
    assert str(ids[-1]) in (page.locator(".tl-row-link").first.get_attribute("href") or "")
    trouble.expect_none(page)


def hostile(probe: str) -> Sample:
    use = {"type": "tool_use", "id": probe, "name": probe, "input": {probe: probe}}
    result = {"type": "tool_result", "tool_use_id": probe, "content": [{"type": "text", "text": probe}]}
    image = {"type": "image", "source": {"type": "url", "media_type": probe, "url": probe}}
    messages = [
        {"role": "user", "content": probe},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": probe}, use, {"type": probe}]},
        {"role": probe, "content": [result, image]},
    ]
    names = ("user-agent", "x-team", "x-claude-code-session-id", "x-claude-code-prompt-id", "x-anything")
    return Sample(
        {"model": probe, "system": probe, "messages": messages, probe: probe},
        message_stream(probe, model=probe, stop=probe, usage={probe: probe}),
        path=f"/v1/{probe}",
        query=probe,
        outcome=Outcome.UPSTREAM_ABORTED,
        error=probe,
        request_headers=[(name, probe) for name in names],
        response_headers=[("content-type", "text/event-stream"), ("request-id", probe), ("x-ratelimit-x", probe)],
    )


def test_nothing_that_was_said_runs_or_loads_anything(
    open_page: Windows, transactional_db: None, trouble: Trouble
) -> None:
    ids = keep([hostile(probe) for probe in PROBES])
    page = open_page(LIST)
    ours = urlsplit(page.url).netloc
    trouble.expect_none(page)
    for address in ("/admin/", *(f"/d/r/{request_id}/" for request_id in ids)):
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        page.mouse.move(700, 400)
        assert page.locator('.tl a[href^="javascript:" i], .tl [onerror], .tl [onload], .tl [onclick]').count() == 0
        trouble.expect_none(page)
    assert trouble.hosts == {ours}


PAGES = {
    "start": "/admin/",
    "list": LIST,
    "landing": "/",
    "login": "/accounts/login/",
    "dead letters": "/admin/gateway/deadletter/",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_follows_the_scheme(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble, scheme: str
) -> None:
    for name, address in PAGES.items():
        page = open_page(address, signed_in=name not in ("landing", "login"), width=390, scheme=scheme)
        page.wait_for_load_state("load")
        assert fits(page), name
        assert (brightness(page) > 0.5) == (scheme == "light"), name
        trouble.expect_none(page)


def test_the_address_to_connect_to_is_the_one_in_use(open_page: Windows, trouble: Trouble) -> None:
    page = open_page("/", signed_in=False)
    expect(page.get_by_text(f"export ANTHROPIC_BASE_URL=http://{urlsplit(page.url).netloc}").first).to_be_visible()
    page.get_by_role("link", name="Open the history").click()
    expect(page.get_by_label("Username")).to_be_visible()
    trouble.expect_none(page)
