"""The language of the list of requests, and what it finds."""

from __future__ import annotations

import html
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.queries import requests
from dashboard.queries.request_query import read_request_query
from gateway.dialects.names import Outcome
from gateway.models import RequestLog
from gateway.tasks.search import index_new_text
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep, message_stream

REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "the walrus sings"}]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modelx:opus", "did you mean model:?"),
        ("status:bad", "such as status:>=400"),
        ("ttft:>5x", "needs a number"),
        ("cost:1.2.3", "no number"),
        ("outcome:fine", "takes one of"),
        ("is:green", "takes one of"),
        ("model:", "needs a value"),
        ("in:99999999999", "too large"),
        ("tool:", "needs a value"),
        ("-tool:Bash", "cannot be looked for"),
        ("has:luck", "takes tool_error"),
        ("tool:Bash has:tool_error", "stand in two turns"),
    ],
)
def test_what_cannot_be_understood_says_what_to_write(text: str, says: str) -> None:
    (problem,) = read_request_query(text).problems
    assert says in problem


def test_what_has_no_field_is_text() -> None:
    query = read_request_query('walrus status:200 "http: not a field" -sea')
    assert query.problems == []
    assert query.text == 'walrus "http: not a field" -sea'


@pytest.fixture
def three() -> list[uuid.UUID]:
    now = datetime.now(UTC)
    slow = Sample(REQUEST, first_ms=6_000, team="alpha", access_key="ada", at=now - timedelta(minutes=2))
    failed = Sample(
        REQUEST,
        status=529,
        outcome=Outcome.UPSTREAM_ERROR,
        chunks=[b"{}"],
        team="beta",
        at=now - timedelta(minutes=1),
    )
    other = Sample({"model": "gpt-5.5", "messages": []}, message_stream("Hi.", model="gpt-5.5"), team="alpha")
    return keep([slow, failed, other])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("model:OPUS", {0, 1}),
        ("-model:opus", {2}),
        ("status:>=400", {1}),
        ("ttft:>5s", {0}),
        ("ttft:<=900ms team:alpha", {2}),
        ("is:failed", {1}),
        ("-is:failed model:gpt", {2}),
        ("key:ada", {0}),
        ("outcome:upstream_error", {1}),
        ("status:99999", set()),
    ],
)
def test_a_query_finds_its_rows(three: list[uuid.UUID], text: str, found: set[int]) -> None:
    query = read_request_query(text)
    assert query.problems == []
    ids = set(RequestLog.objects.filter(query.condition).values_list("id", flat=True))
    assert ids == {three[at] for at in found}


@pytest.mark.django_db
def test_what_no_index_finds_is_looked_for_among_the_newest_and_the_page_says_so(
    three: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "LOOKED_AT", 2)
    page = listed("superuser", "q=ttft:>5s")
    assert str(three[0]) not in page
    assert "Nothing found among the newest 2" in page
    further = re.search(r'href="(\?[^"]+)">look further back', page)
    assert further
    assert str(three[0]) in listed("superuser", html.unescape(further[1])[1:])


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["q=is:failed", "q=model:opus+key:ada", "q=key:ada+ttft:>5s", ""])
def test_what_an_index_finds_is_not_cut_off(
    query: str, three: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "LOOKED_AT", 2)
    page = listed("superuser", query)
    assert "looked at the newest" not in page
    assert str(three[1] if "failed" in query else three[0]) in page


@pytest.mark.django_db
def test_few_rows_and_many_are_paged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = keep([Sample(REQUEST, first_ms=6_000) for _ in range(60)])
    for few in (500, 10):
        monkeypatch.setattr(requests, "FEW", few)
        first = listed("superuser", "q=ttft:>5s")
        assert "60 requests" in first
        assert str(ids[-50]) in first
        older = re.search(r'href="(\?[^"]+)" rel="next"', first)
        assert older
        second = listed("superuser", html.unescape(older[1])[1:])
        assert [str(row) in second for row in (ids[0], ids[9], ids[10])] == [True, True, False]


@pytest.mark.django_db
def test_a_tool_and_its_failures_are_found_by_those_who_may_read() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    failed = {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [failed]}]
    with_tool = REQUEST | {"messages": [*REQUEST["messages"], *turns]}
    plain, called = keep([Sample(REQUEST, team="alpha"), Sample(with_tool, team="alpha")])
    index_new_text()
    for query in ("q=tool:Bash", "q=has:tool_error", "q=tool:bash+model:opus"):
        page = listed("lead", query)
        assert str(called) in page, query
        assert str(plain) not in page, query
        for stranger in ("other", "ops"):
            assert str(called) not in listed(stranger, query), (stranger, query)
    assert str(called) not in listed("lead", "q=tool:Read")


def listed(role: str, query: str) -> str:
    response = client_of(role).get(f"/d/requests/?{query}")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.django_db
def test_the_page_lists_what_one_may_see_and_no_other_team_s(three: list[uuid.UUID]) -> None:
    page = listed("lead", "q=is:failed")
    assert str(three[1]) not in page
    assert "0 requests" in page
    page = listed("lead", "")
    assert str(three[0]) in page
    assert str(three[2]) in page
    assert "2 requests" in page


@pytest.mark.django_db
def test_an_id_is_found_in_one_s_own_teams_alone(three: list[uuid.UUID]) -> None:
    assert f"/d/r/{three[0]}/" in listed("lead", f"q={three[0]}")
    assert f"/d/r/{three[0]}/" not in listed("other", f"q={three[0]}")


@pytest.mark.django_db
@pytest.mark.parametrize("hostile", ["%00", "'%22%3E%3Cscript%3E", "a:b:c%22", "-", "%22", "status:1e9", "x" * 2000])
def test_nothing_typed_breaks_the_page(three: list[uuid.UUID], hostile: str) -> None:
    page = listed("superuser", f"q={hostile}")
    assert "><script>" not in page


@pytest.mark.django_db
def test_ops_are_told_that_texts_find_nothing_for_them(three: list[uuid.UUID]) -> None:
    page = listed("ops", "q=walrus")
    assert "may not read prompts and answers" in page
    assert str(three[0]) not in page
    assert str(three[1]) in listed("ops", "q=is:failed")


@pytest.mark.django_db
def test_failures_are_grouped_and_lead_to_their_requests(three: list[uuid.UUID]) -> None:
    page = client_of("superuser").get("/d/errors/").content.decode()
    assert "1 failure in 1 group," in page
    assert "q=outcome%3Aupstream_error+status%3A529" in page
    assert str(three[1]) not in client_of("lead").get("/d/errors/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["member", "ops", "superuser"])
@pytest.mark.parametrize("page", ["", "requests/", "errors/", "health/", "me/", "me/first/"])
def test_every_page_opens_with_rows_and_without(role: str, page: str, three: list[uuid.UUID]) -> None:
    client = client_of(role)
    assert client.get(f"/d/{page}").status_code == 200
    RequestLog.objects.all().delete()
    assert client.get(f"/d/{page}?range=15m").status_code == 200


@pytest.mark.django_db
def test_the_light_turns_green_with_the_first_request() -> None:
    client = client_of("superuser")
    waiting = client.get("/d/me/").content.decode()
    assert "Waiting for the first request" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    keep([Sample(REQUEST)])
    green = client.get("/d/me/first/").content.decode()
    assert "Connected." in green
    assert "hx-trigger" not in green
