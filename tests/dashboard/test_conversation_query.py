"""One session: its rail, its turns, and what changed between them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.models import AuditEvent
from dashboard.queries import conversation
from dashboard.queries.conversation import flat, load_window, read_difference, read_rail, read_turns
from gateway.history.visibility import EVERYTHING, Sight
from tests.dashboard.people import ROLES, client_of
from tests.exchanges import Sample, event_stream, keep

pytestmark = pytest.mark.django_db

BEGIN = datetime.now(UTC) - timedelta(hours=1)
SESSION = "8f6f0b0e-aaaa-4bbb-8ccc-000000000001"
TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]


def answer(*blocks: dict[str, Any], read: int = 9_000, written: int = 400) -> list[bytes]:
    usage = {"input_tokens": 12, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": []}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message | {"usage": usage | {"output_tokens": 1}}}
    ]
    for index, block in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_stop", "index": index},
        ]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}}
    return event_stream(*events, end, {"type": "message_stop"})


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def bash(call: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call, "name": "Bash", "input": {"command": f"echo {call}"}}


def turn(minute: int, messages: list[Any], reply: list[bytes], agent: str = "", **body: Any) -> Sample:
    headers = [("x-claude-code-session-id", SESSION)]
    headers += [("x-claude-code-agent-id", agent)] if agent else []
    asked = {"model": "claude-opus-5-5", "tools": TOOLS, "system": [text("Be careful.")], "messages": messages} | body
    return Sample(asked, reply, at=BEGIN + timedelta(minutes=minute), request_headers=headers)


def session() -> None:
    first = {"role": "user", "content": [text("Make it work.") | {"cache_control": {"type": "ephemeral"}}]}
    called = {"role": "assistant", "content": [text("I look."), bash("toolu_1")]}
    failed = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such file", "is_error": True}],
    }
    task = {"role": "user", "content": [text("Find every caller of the function total in the project.")]}
    keep(
        [
            turn(0, [first], answer(text("I look."), bash("toolu_1"))),
            turn(1, [task], answer(text("There are none.")), agent="agent-7"),
            turn(2, [first, called, failed], answer(text("It is not there."), read=0, written=9_500),
                 system=[text("Be quick.")]),
        ]
    )  # fmt: skip


def read() -> tuple[Any, list[Any]]:
    window = load_window(EVERYTHING, SESSION)
    assert window is not None
    return window, read_rail(window.loaded)


def test_the_rail_has_agents_below_the_turns_that_started_them() -> None:
    session()
    _, agents = read()
    assert [agent.id for agent in agents] == [""]
    assert [agent.id for agent in flat(agents)] == ["", "agent-7"]
    assert [turn.number for turn in agents[0].turns] == [1, 2]


def test_a_turn_tells_what_failed_what_was_lost_and_how_large_it_was() -> None:
    session()
    _, agents = read()
    first, second = agents[0].turns
    assert first.failed_tools == 0
    assert first.said == "Make it work."
    assert second.failed_tools == 1
    assert second.miss is not None
    assert "system block 1 changed" in second.miss.reasons[0]
    assert second.share == 100
    assert 0 < first.share < 100


def test_a_turn_shows_what_is_new_in_it_and_the_answer() -> None:
    session()
    window, agents = read()
    turns, after = read_turns(window, agents, "", None, lambda call, media: "")
    assert after is None
    assert [block.kind for said in turns[1].said for block in said.blocks] == ["result"]
    assert turns[1].said[0].blocks[0].tone == "bad"
    assert "It is not there." in turns[1].answered[0].blocks[0].html


def test_one_agents_turns_can_be_read_alone() -> None:
    session()
    window, agents = read()
    turns, _ = read_turns(window, agents, "agent-7", None, lambda call, media: "")
    assert len(turns) == 1
    assert "There are none." in turns[0].answered[0].blocks[0].html


def test_what_changed_between_two_turns_is_shown_line_by_line() -> None:
    session()
    window, agents = read()
    found = read_difference(window.loaded, agents[0].turns[1].call.id)
    rewritten = next(item for item in found["differences"] if item.difference.name == "system block 1")
    assert [(line.kind, line.text) for line in rewritten.diff.lines] == [
        ("removed", "Be careful."), ("added", "Be quick."),
    ]  # fmt: skip


def test_a_long_session_is_read_a_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "WINDOW", 4)
    messages = [{"role": "user", "content": f"Question {number}."} for number in range(9)]
    ids = keep([turn(at, messages[: at + 1], answer(text(f"Answer {at}."))) for at in range(9)])
    first = load_window(EVERYTHING, SESSION)
    assert first is not None
    assert (len(first.loaded.turns), first.total, first.earlier, first.later) == (4, 9, None, ids[4])
    middle = load_window(EVERYTHING, SESSION, around=ids[4])
    assert middle is not None
    assert [turn.first.id for turn in middle.loaded.turns] == ids[3:7]
    newest = load_window(EVERYTHING, SESSION, newest=True)
    assert newest is not None
    assert (newest.earlier, newest.later) == (ids[4], None)


def test_another_teams_session_is_not_there() -> None:
    session()
    assert load_window(Sight(frozenset({"other"})), SESSION) is None


def test_what_came_since_is_told_without_being_a_reading() -> None:
    session()
    client = client_of("superuser")
    page = client.get(f"/d/c/{SESSION}").content.decode()
    asked = re.search(r'id="newer"[^>]* hx-get="([^"]+)" hx-trigger="every 5s"', page)
    assert asked
    read = AuditEvent.objects.filter(action="read").count()
    assert "new request" not in client.get(asked[1]).content.decode()
    keep([turn(3, [{"role": "user", "content": [text("And now?")]}], answer(text("Done.")))])
    told = client.get(asked[1]).content.decode()
    assert f'href="/d/c/{SESSION}?newest=1">1 new request: show' in told
    assert "hx-get" not in told, "it is asked no more"
    assert AuditEvent.objects.filter(action="read").count() == read == 1


def test_a_session_in_which_no_model_was_asked_is_a_page_too() -> None:
    headers = [("x-claude-code-session-id", SESSION)]
    keep([Sample({"messages": []}, path="/v1/messages/count_tokens", request_headers=headers)])
    response = client_of("superuser").get(f"/d/c/{SESSION}")
    assert response.status_code == 200
    assert "Nothing in this session asked a model" in response.content.decode()


@pytest.mark.parametrize("role", ROLES)
def test_who_opens_a_conversation(role: str) -> None:
    keep([turn(0, [{"role": "user", "content": "secret words"}], answer(text("Yes.")))])
    client = client_of(role)
    expected = {"anonymous": 302, "disabled": 302, "stranger": 403, "ops": 403, "admin": 200, "superuser": 200}
    for query in ("", "?copy=markdown", "?copy=json", "?newest=1"):
        response = client.get(f"/d/c/{SESSION}{query}")
        assert response.status_code == expected.get(role, 404), query
        assert (b"secret words" in response.content) == (response.status_code == 200 and query != "?copy=json")
    assert client.get("/d/c/").status_code == {"anonymous": 302, "disabled": 302, "stranger": 403, "ops": 403}.get(
        role, 200
    )
    assert (b"secret words" in client.get("/d/c/").content) == (role in ("admin", "superuser"))
