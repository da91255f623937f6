"""The list of sessions: in what order, with which figures, and a page at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.history.conversation.sessions import read_sessions
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import RequestLog
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

BEGIN = datetime.now(UTC) - timedelta(hours=3)


def turn(session: str, minute: int, **changes: Any) -> Sample:
    said = changes.pop("said", f"Mend {session}.\nPlease.")
    reminder = {"type": "text", "text": "<system-reminder>today</system-reminder>"}
    content = [reminder, {"type": "text", "text": said}]
    headers = [("x-claude-code-session-id", session), *changes.pop("headers", [])]
    body = {"model": "claude-opus-5-5", "tools": [{"name": "Bash"}], "messages": [{"role": "user", "content": content}]}
    return Sample(body, at=BEGIN + timedelta(minutes=minute), request_headers=headers, **changes)


def names(page: Any) -> list[str]:
    return [session.id for session in page.sessions]


def test_the_session_with_the_newest_request_comes_first() -> None:
    keep([turn("a", 0), turn("b", 1), turn("a", 2), turn("c", 1)])
    assert names(read_sessions(RequestLog.objects.all(), EVERYTHING)) == ["a", "c", "b"]


def test_its_title_is_what_a_person_said_first() -> None:
    keep([turn("a", 0), turn("a", 1, said="and then?")])
    (session,) = read_sessions(RequestLog.objects.all(), EVERYTHING).sessions
    assert session.title == "Mend a."


def test_its_figures_are_sums() -> None:
    agent = [("x-claude-code-agent-id", "x1")]
    keep([turn("a", 0), turn("a", 5), turn("a", 6, headers=agent), turn("a", 7, status=500)])
    (session,) = read_sessions(RequestLog.objects.all(), EVERYTHING).sessions
    assert (session.requests, session.agents, session.errors) == (4, 1, 1)
    assert session.duration_ms == 7 * 60_000
    assert session.cost_usd is not None
    assert session.models == ["claude-opus-5-5"]
    assert list(session.context) == [2_864 + 412 + 39_844] * 3


def test_pages_go_on_where_the_one_before_ended_and_repeat_nothing() -> None:
    keep([turn(f"s{number}", number) for number in range(7)] + [turn("s0", 30)])
    rows = RequestLog.objects.all()
    first = read_sessions(rows, EVERYTHING, size=3)
    second = read_sessions(rows, EVERYTHING, first.older, size=3)
    third = read_sessions(rows, EVERYTHING, second.older, size=3)
    assert [names(page) for page in (first, second, third)] == [["s0", "s6", "s5"], ["s4", "s3", "s2"], ["s1"]]
    assert third.older is None


def test_another_teams_requests_are_not_summed() -> None:
    keep([turn("a", 0, team="one"), turn("a", 1, team="two"), turn("b", 1, team="two")])
    sight = Sight(frozenset({"one"}))
    (session,) = read_sessions(sight.requests(), sight).sessions
    assert (session.id, session.requests) == ("a", 1)


def test_no_sessions_are_an_empty_page() -> None:
    assert read_sessions(RequestLog.objects.all(), EVERYTHING).sessions == []
