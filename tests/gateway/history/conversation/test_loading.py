"""Conversations read from the history are those that were had."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.history.conversation.loading import load_around, load_session
from gateway.history.conversation.prompts import PATHS
from gateway.history.store import NotInHistory
from gateway.history.visibility import Sight
from gateway.models import RequestLog
from tests.exchanges import Sample, keep
from tests.gateway.history.conversation.building import READ, START, captured_calls, talk
from tests.gateway.history.conversation.test_turns import shape
from tests.gateway.history.recorded import keep_session
from tests.transcripts.captured import FOLDER

pytestmark = pytest.mark.django_db
SESSION = "00000000-0000-4000-8000-000000000001"
SESSIONS = sorted(file.stem for file in FOLDER.glob("*.jsonl") if file.stem != "count_tokens")


@pytest.mark.parametrize("capture", SESSIONS)
def test_every_part_role_mark_and_setting_is_read_as_it_was_sent(capture: str) -> None:
    keep_session(capture)
    loaded = load_session(SESSION)
    found = [attempt.call for turn in loaded.turns for attempt in turn.attempts]
    for call, sent in zip(sorted(found, key=lambda call: call.id), captured_calls(capture), strict=True):
        assert [(part.kind, part.role) for part in call.parts] == [(part.kind, part.role) for part in sent.parts]
        assert [loaded.reader.read(part) for part in call.parts if part.kind == 1] == [
            READ(part) for part in sent.parts if part.kind == 1
        ]
        assert call.breakpoints == sent.breakpoints
        assert call.settings == sent.settings
        assert (call.betas, call.stop_reason, call.outcome) == (list(sent.betas), sent.stop_reason, sent.outcome)


def test_what_is_said_again_in_other_bytes_is_the_same_part() -> None:
    keep_session("claude_three_turns")
    first, second, third = (turn.first for turn in load_session(SESSION).turns)
    for older, newer in ((first, second), (second, third)):
        assert [part.digest for part in newer.parts][: len(older.parts)] == [part.digest for part in older.parts]


def test_the_number_of_queries_does_not_grow_with_the_session() -> None:
    def queries(session: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            load_session(session)
        return len(captured)

    texts = [f"line {number}" for number in range(41)]
    headers = [("x-claude-code-session-id", "long")]
    keep(
        [Sample(talk(*texts[: 2 * n + 1]), at=START + timedelta(seconds=n), request_headers=headers) for n in range(20)]
    )
    keep([Sample(talk("a"), at=START, request_headers=[("x-claude-code-session-id", "short")])])
    assert queries("long") == queries("short") <= 6
    assert shape(load_session("long").turns)[-1] == (20, None, 19, ["first"], [])


def test_each_blob_is_looked_up_instead_of_reading_all_of_the_month() -> None:
    """Which of the two costs less depends on a guess that is far too high for long histories."""
    texts = [f"line {number}" for number in range(41)]
    keep([Sample(talk(*texts[: 2 * n + 1]), at=START + timedelta(seconds=n)) for n in range(20)])
    newest = RequestLog.objects.order_by("-id")[0]
    month = START.date().replace(day=1)
    values = {"month": month, "scope": newest.scope, "leaves": [newest.messages_leaf], "message": 3}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE gateway_node, gateway_blob")
        cursor.execute(f"EXPLAIN {PATHS}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Nested Loop" in plan
    assert "Hash" not in plan
    assert "Merge" not in plan


def test_a_session_that_crosses_the_months_end_is_one() -> None:
    headers = [("x-claude-code-session-id", "s")]
    last = datetime(2026, 10, 31, 23, 59, 50, tzinfo=UTC)
    samples = [
        Sample(talk(*"abcde"[: 2 * n + 1]), at=last + timedelta(seconds=10 * n), request_headers=headers)
        for n in range(3)
    ]
    keep(samples)
    turns = load_session("s").turns
    assert [turn.first.started_at.month for turn in turns] == [10, 11, 11]
    assert [row[2] for row in shape(turns)] == [None, 1, 2]


def test_without_a_session_the_prefix_tree_finds_the_conversation() -> None:
    texts = [("a",), ("x",), ("a", "b", "c"), ("a", "b", "d"), ("a", "b", "c", "d", "e"), ("x", "y", "z")]
    ids = keep([Sample(talk(*said), at=START + timedelta(minutes=n)) for n, said in enumerate(texts)])
    turns = load_around(ids[2]).turns
    assert [turn.first.id for turn in turns] == [ids[0], ids[2], ids[3], ids[4]]
    assert [(turn.number, turn.parent and turn.parent.number) for turn in turns] == [(1, None), (2, 1), (3, 1), (4, 2)]
    assert [turn.first.id for turn in load_around(ids[5]).turns] == [ids[1], ids[5]]


def test_callers_do_not_share_a_conversation() -> None:
    first, *_ = keep(
        [
            Sample(talk("a"), at=START, access_key="ada"),
            Sample(talk("a", "b", "c"), at=START + timedelta(seconds=1), access_key="bob"),
            Sample(talk("a", "b", "c"), at=START + timedelta(seconds=2), access_key="ada", team="red"),
        ]
    )
    assert len(load_around(first).turns) == 1


def test_another_teams_session_is_as_if_it_were_not() -> None:
    red = keep_session("claude_three_turns", team="red")
    keep_session("claude_bash_tool", team="blue", start=START + timedelta(hours=1))
    sight = Sight(frozenset({"red"}))
    assert {turn.first.id for turn in load_session(SESSION, sight).turns} == set(red)
    other = RequestLog.objects.filter(team="blue").values_list("id", flat=True)[0]
    for unseen in (other, uuid.uuid4()):
        with pytest.raises(NotInHistory):
            load_around(unseen, sight)
    with pytest.raises(NotInHistory, match="no session"):
        load_session(SESSION, Sight(frozenset()))


def test_a_body_that_was_not_split_is_a_turn_without_parts() -> None:
    (only,) = keep([Sample(b"not json", at=START)])
    (turn,) = load_around(only).turns
    assert (turn.first.parts, turn.number) == ((), 1)
