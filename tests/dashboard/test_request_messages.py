"""The messages of a request: what each is of the prompt, and what was there before in one line."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from gateway.history.transcript import TURNS_SHOWN
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep, keep_one, message_stream

pytestmark = pytest.mark.django_db

FILE = "line of a file\n" * 40
SESSION = [("x-claude-code-session-id", "s-1")]
ESTIMATE = "an estimate by length, scaled to what the provider counted"


def page(client: Client, request_id: uuid.UUID, query: str = "") -> str:
    response = client.get(f"/d/r/{request_id}/{query}")
    assert response.status_code == 200
    return response.content.decode()


def said(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def talk(length: int) -> list[dict[str, Any]]:
    return [said("assistant" if number % 2 else "user", f"message {number + 1} of it") for number in range(length)]


def turn_of(text: str, number: int) -> str:
    return text.split(f'id="turn-{number}"')[1].split("</li>")[0]


def test_each_part_says_its_share_of_the_prompt_and_that_it_is_an_estimate(admin: Client) -> None:
    request = {
        "model": "m",
        "system": [{"type": "text", "text": "s" * 2_000}, {"type": "text", "text": "t" * 2_000}],
        "tools": [{"name": "Bash", "description": "d" * 2_000, "input_schema": {}}],
        "messages": [said("user", "u" * 6_000, "v" * 2_000), said("assistant", "Yes.")],
    }
    text = page(admin, keep_one(Sample(request)))
    assert "Shares of 43,120 tokens, estimated." in text
    assert ESTIMATE in text
    of_system = re.search(r"<summary>System .*?(\d+) %</span>\s*</summary>", text)
    of_tools = re.search(r"<summary>Tools .*?(\d+) %</span>\s*</summary>", text)
    assert of_system
    assert of_tools
    assert (int(of_system[1]), int(of_tools[1])) == pytest.approx((28, 14), abs=2)
    message, *blocks = re.findall(r"(\d+) %</span>", turn_of(text, 1))
    assert int(message) in range(54, 60)
    assert [int(share) for share in blocks] == pytest.approx([42, 14], abs=2)


def test_less_than_a_hundredth_says_nothing(admin: Client) -> None:
    request_id = keep_one(Sample({"model": "m", "messages": [said("user", "u" * 9_000), said("assistant", "Yes.")]}))
    assert "b-share" in turn_of(page(admin, request_id), 1)
    assert "b-share" not in turn_of(page(admin, request_id), 2)


def test_nothing_is_said_of_a_prompt_that_nobody_counted(admin: Client) -> None:
    answer = message_stream("Yes.", usage={"input_tokens": None})
    text = page(admin, keep_one(Sample({"model": "m", "messages": talk(3)}, answer)))
    assert "b-share" not in text
    assert "Shares of" not in text


def test_what_was_said_before_is_one_line_that_leads_there(admin: Client) -> None:
    request_id = keep_one(Sample({"model": "m", "messages": [said("user", FILE), *talk(2), said("user", FILE)]}))
    text = page(admin, request_id)
    assert "b-again" not in turn_of(text, 1)
    folded = turn_of(text, 4)
    assert '<div class="b-again"><details><summary>text <small>the same as above</small>' in folded
    assert '<a href="#turn-1">message 1</a>' in folded
    # The browser's own search opens it, so all of it is there.
    assert "line of a file" in folded.split("</summary>")[1]
    drawer = admin.get(f"/d/r/{request_id}/peek/").content.decode()
    assert f'<a href="/d/r/{request_id}/?turn=1#turn-1">message 1</a>' in drawer


def test_a_first_mention_outside_of_the_window_has_an_address_of_its_own(admin: Client) -> None:
    messages = [said("user", FILE), *talk(2 * TURNS_SHOWN), said("user", FILE)]
    text = page(admin, keep_one(Sample({"model": "m", "messages": messages})))
    assert '<a href="?turn=1#turn-1">message 1</a>' in text


def test_a_tool_s_result_that_is_folded_says_which_tool(admin: Client) -> None:
    calls = [
        message
        for call in ("toolu_1", "toolu_2")
        for message in (
            {"role": "assistant", "content": [{"type": "tool_use", "id": call, "name": "Read", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": FILE}]},
        )
    ]
    folded = turn_of(page(admin, keep_one(Sample({"model": "m", "messages": calls}))), 4)
    assert re.search(
        r'class="b-again"><details><summary>tool result <small>of</small> <b class="b-of">Read</b>', folded
    )
    assert "b-role-tool" in page(admin, keep_one(Sample({"model": "m", "messages": calls}))).split('id="turn-4"')[0]


def kept(*lengths: int, headers: list[tuple[str, str]] = SESSION, team: str = "") -> list[uuid.UUID]:
    """Requests of one session, a second apart, each as long as told."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    return keep(
        Sample(
            {"model": "m", "messages": talk(length)}, at=start + timedelta(seconds=place), request_headers=headers,
            team=team,
        )
        for place, length in enumerate(lengths)
    )  # fmt: skip


def known(text: str) -> str:
    """What is folded as of the turn before."""
    return text.split('<div class="b-known">')[1].split("</ol></details>")[0] if "b-known" in text else ""


def test_messages_of_the_turn_before_are_one_line_that_leads_to_it(admin: Client) -> None:
    first, second = kept(5, 7)
    text = page(admin, second)
    assert "<details><summary>5 messages, as in the turn before</summary>" in text
    assert f'<a href="/d/r/{first}/">The turn before</a>' in text
    assert [f'id="turn-{number}"' in known(text) for number in range(1, 8)] == [True] * 5 + [False] * 2
    assert "message 5 of it" in known(text)
    assert "b-known" not in page(admin, first)


def test_a_turn_before_whose_end_was_rewritten_still_counts(admin: Client) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5)
    rewritten = [*talk(5), said("user", "reminder of the time")]
    keep_one(Sample({"model": "m", "messages": rewritten}, at=start, request_headers=SESSION))
    later = keep_one(
        Sample({"model": "m", "messages": talk(8)}, at=start + timedelta(seconds=1), request_headers=SESSION)
    )
    assert "5 messages, as in" in page(admin, later)


def test_a_window_that_was_asked_for_is_shown_whole(admin: Client) -> None:
    second = kept(TURNS_SHOWN + 8, TURNS_SHOWN + 10)[1]
    assert f"{TURNS_SHOWN - 2} messages, as in" in page(admin, second)
    assert "b-known" not in page(admin, second, "?turn=3")


@pytest.mark.parametrize(
    "lengths",
    [(2, 4), (6, 6), (20, 20 + TURNS_SHOWN)],
    ids=["a short beginning", "the same once more", "nothing of it on the page"],
)
def test_where_there_is_nothing_to_fold_nothing_is(admin: Client, lengths: tuple[int, int]) -> None:
    assert "b-known" not in page(admin, kept(*lengths)[1])


def test_another_agent_s_or_another_team_s_request_is_no_turn_before() -> None:
    kept(5, headers=[*SESSION, ("x-claude-code-agent-id", "agent-1")], team="alpha")
    kept(6, team="beta")
    text = page(client_of("lead"), kept(7, team="alpha")[0])
    assert "message 7 of it" in text
    assert "b-known" not in text
