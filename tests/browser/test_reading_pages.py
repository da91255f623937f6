"""One request, conversations and the pages of figures in a real browser: read, walked, copied, attacked."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from gateway.history.rollups import roll_up_all
from gateway.models import RequestLog
from tests.browser.accessibility import grave_findings
from tests.browser.conftest import Windows
from tests.browser.probes import PROBES
from tests.browser.test_admin_pages import brightness, fits, hostile
from tests.browser.trouble import Trouble
from tests.browser.working_day import PROMPT, working_day
from tests.exchanges import Sample, keep, message_stream

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TABS = ("messages", "raw", "timeline", "headers", "limits", "cost", "related", "grade")


@pytest.fixture
def day(transactional_db: None) -> list[uuid.UUID]:
    """An hour of requests, summed up; the last is the end of a conversation."""
    ids = keep(working_day())
    roll_up_all()
    return ids


def session_of(request_id: uuid.UUID) -> str:
    return str(RequestLog.objects.get(id=request_id).session_id)


def addresses(day: list[uuid.UUID]) -> dict[str, str]:
    session = session_of(day[-1])
    return {
        **{tab: f"/d/r/{day[-1]}/?tab={tab}" for tab in TABS},
        "hex": f"/d/r/{day[-1]}/?tab=raw&form=hex",
        "replay": f"/d/r/{day[-1]}/replay/",
        "pinned": "/d/pinned/",
        "conversations": "/d/c/",
        "conversation": f"/d/c/{session}",
        "difference": f"/d/c/{session}?diff={day[-1]}",
        "usage": "/d/usage/",
        "usage by day": "/d/usage/?range=30d&group=time&measure=output",
        "quota": "/d/quota/",
        "models": "/d/models/?range=30d&measure=duration",
    }


PICTURES = {
    "request": "/d/r/{id}/",
    "timeline": "/d/r/{id}/?tab=timeline",
    "conversations": "/d/c/",
    "conversation": "/d/c/{session}",
    "usage": "/d/usage/",
    "quota": "/d/quota/",
    "models": "/d/models/",
}
"""What is drawn into the directory PICTURES names, in light and dark; the documentation shows some of it."""


def test_pictures_are_taken_for_the_documentation(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble, tmp_path: Path
) -> None:
    directory = Path(os.environ.get("PICTURES") or tmp_path)
    session = session_of(day[-1])
    for name, address in PICTURES.items():
        for scheme in ("light", "dark"):
            page = open_page(address.format(id=day[-1], session=session), scheme=scheme)
            page.wait_for_load_state("networkidle")
            assert len(page.screenshot(path=directory / f"{name}-{scheme}.png")) > 20_000, name
            trouble.expect_none(page)
            page.context.close()


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach(fold => fold.open = true)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_everyone(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble, scheme: str
) -> None:
    for name, address in addresses(day).items():
        page = open_page(address, scheme=scheme)
        unfold(page)
        assert grave_findings(page) == [], name
        trouble.expect_none(page)
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_follows_the_scheme(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble, scheme: str
) -> None:
    for name, address in addresses(day).items():
        page = open_page(address, width=390, scheme=scheme)
        unfold(page)
        assert fits(page), name
        assert (brightness(page) > 0.5) == (scheme == "light"), name
        trouble.expect_none(page)
        page.context.close()


def test_a_session_is_found_read_and_its_turns_walked(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble
) -> None:
    page = open_page("/d/c/")
    page.keyboard.press("j")
    expect(page.locator(".cv-item[data-chosen]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#drawer .b-turns")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".cv-read").first).to_contain_text(PROMPT)
    page.locator(".cv-read").last.get_by_role("link", name="Request").click()
    expect(page.locator(".rd-strip")).to_be_visible()
    page.keyboard.press("[")
    expect(page).not_to_have_url(f"/d/r/{day[-1]}/")
    page.keyboard.press("]")
    page.wait_for_url(f"**/d/r/{day[-1]}/")
    page.keyboard.press("r")
    page.wait_for_url("**/?tab=raw")
    expect(page.get_by_text("SHA-256").first).to_be_visible()
    trouble.expect_none(page)


def test_what_changed_is_one_click_from_the_turn(open_page: Windows, day: list[uuid.UUID], trouble: Trouble) -> None:
    page = open_page(f"/d/c/{session_of(day[-1])}")
    page.get_by_role("link", name="What changed").last.click()
    expect(page.get_by_text("entered").first).to_be_visible()
    page.get_by_role("link", name="Back to the conversation").click()
    expect(page.locator(".cv-read:target")).to_have_count(1)
    trouble.expect_none(page)


def test_a_request_is_copied_in_other_words(open_page: Windows, day: list[uuid.UUID], trouble: Trouble) -> None:
    page = open_page(f"/d/r/{day[-1]}/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for form, expected in (("cURL", "curl -X POST"), ("JSON", '"outcome"'), ("Markdown", PROMPT)):
        page.locator(".rd-menu summary").click()
        page.get_by_role("link", name=form, exact=True).click()
        expect(page.locator("#said")).to_have_text(f"Copied as {form}")
        assert expected in page.evaluate("navigator.clipboard.readText()")
    page.locator(".rd-menu summary").click()
    page.get_by_role("button", name="Link", exact=True).click()
    expect(page.locator("#said")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    trouble.expect_none(page)


def test_what_was_said_before_is_opened_by_a_click_and_by_a_link_into_it(
    open_page: Windows, transactional_db: None, trouble: Trouble
) -> None:
    file = {"role": "user", "content": "line of a file\n" * 40}
    talk = [{"role": "user", "content": f"Question {number}."} for number in range(5)]
    headers = [("x-claude-code-session-id", "s-1")]
    messages = [file, *talk, file]
    ids = keep(Sample({"model": "m", "messages": messages[:length]}, request_headers=headers) for length in (5, 7))
    page = open_page(f"/d/r/{ids[1]}/")
    known, again = page.locator(".b-known"), page.locator(".b-again")
    expect(known.locator("summary")).to_contain_text("5 messages, as in the turn before")
    expect(page.get_by_text("Question 2.")).not_to_be_visible()
    expect(again.locator(".b-prose")).not_to_be_visible()
    again.locator("summary").click()
    expect(again.locator(".b-prose")).to_be_visible()
    again.get_by_role("link", name="message 1").click()
    expect(page.locator("#turn-1 .b-prose")).to_be_visible()
    expect(page.get_by_text("Question 2.")).to_be_visible()
    page = open_page(f"/d/r/{ids[1]}/#turn-4")
    expect(page.get_by_text("Question 2.")).to_be_visible()
    trouble.expect_none(page)


def test_a_request_is_pinned_with_a_note_and_found_again(
    open_page: Windows, day: list[uuid.UUID], trouble: Trouble
) -> None:
    page = open_page(f"/d/r/{day[-1]}/", width=390)
    page.locator(".rd-pin > summary").click()
    page.get_by_label("Note").fill("show this in the review")
    assert fits(page)
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator(".rd-pins")).to_contain_text("show this in the review")
    page.locator(".rd-pin > summary").click()
    page.get_by_role("link", name="All that is pinned").click()
    expect(page.get_by_role("table")).to_contain_text("show this in the review")
    assert grave_findings(page) == []
    assert fits(page)
    page.get_by_role("button", name="Take the pin").click()
    expect(page.get_by_text("Nothing is pinned")).to_be_visible()
    trouble.expect_none(page)


def test_the_download_is_a_file_and_not_a_page(open_page: Windows, day: list[uuid.UUID]) -> None:
    page = open_page(f"/d/r/{day[-1]}/?tab=raw")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download the exact bytes").first.click()
    assert waiting.value.suggested_filename == f"turnlog-{day[-1]}-request.txt"
    assert PROMPT.encode() in waiting.value.path().read_bytes()


def test_more_turns_come_as_one_scrolls(open_page: Windows, transactional_db: None, trouble: Trouble) -> None:
    session = "8f6f0b0e-aaaa-4bbb-8ccc-000000000002"
    messages = [{"role": "user", "content": f"Question {number}."} for number in range(35)]
    keep(
        Sample(
            {"model": "claude-opus-5-5", "messages": messages[: at + 1]},
            message_stream(f"Answer {at}."),
            request_headers=[("x-claude-code-session-id", session)],
        )
        for at in range(35)
    )
    page = open_page(f"/d/c/{session}")
    expect(page.locator(".cv-read")).to_have_count(10)
    while page.locator(".cv-more").count():
        shown = page.locator(".cv-read").count()
        page.locator(".cv-more").scroll_into_view_if_needed()
        expect(page.locator(".cv-read")).not_to_have_count(shown)
    expect(page.locator(".cv-read")).to_have_count(35)
    expect(page.locator(".cv-read").last).to_contain_text("Answer 34.")
    trouble.expect_none(page)


def test_a_number_leads_to_what_it_counts(open_page: Windows, day: list[uuid.UUID], trouble: Trouble) -> None:
    page = open_page("/d/usage/?range=30d")
    expect(page.locator(".pt-canvas canvas")).to_have_count(1)
    here = page.url
    page.locator(".su-table tbody a").first.click()
    page.wait_for_url(re.compile("model="))
    page.go_back()
    page.wait_for_url(here)
    page.get_by_role("link", name="Team", exact=True).click()
    page.wait_for_url(re.compile("group=team"))
    trouble.expect_none(page)


def test_nothing_that_was_said_runs_or_loads_anything(
    open_page: Windows, transactional_db: None, trouble: Trouble
) -> None:
    ids = keep([hostile(probe) for probe in PROBES])
    roll_up_all()
    sessions = sorted({str(name) for name in RequestLog.objects.values_list("session_id", flat=True) if name})
    wanted = [f"/d/r/{request_id}/?tab={tab}" for request_id in ids for tab in ("messages", "headers")]
    wanted += [f"/d/r/{ids[0]}/?tab={tab}" for tab in TABS]
    wanted += ["/d/c/?range=30d", "/d/usage/?range=30d", "/d/models/?range=30d", "/d/quota/"]
    wanted += [f"/d/usage/?range=30d&group={group}" for group in ("client", "status", "outcome")]
    wanted += [f"/d/c/{quote(session, safe='')}" for session in sessions if not session.startswith((".", "/"))]
    page = open_page(wanted[0])
    ours = urlsplit(page.url).netloc
    for address in wanted:
        page.goto(address)
        unfold(page)
        page.mouse.move(700, 400)
        assert page.locator('main a[href^="javascript:" i], main [onerror], main [onload], main [onclick]').count() == 0
        trouble.expect_none(page)
    assert trouble.hosts == {ours}
