"""The list of requests: pages by key, filters by index, no body touched, nothing trusted."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway.admin.request_filter import RequestFilter
from gateway.admin.request_list import COLUMNS, ROWS_SHOWN, choices, counted, read_page
from gateway.dialects.names import Outcome
from gateway.history.id_times import first_id_at
from gateway.history.partitions import ensure_partitions
from gateway.models import Member, RequestLog, ResponseLog, Team
from tests.exchanges import Sample, keep, keep_one, message_stream, new_id

pytestmark = pytest.mark.django_db

LIST = "/admin/gateway/requestlog/"
ROW_LINK = re.compile(r'class="tl-row-link" href="/d/r/([0-9a-f-]{36})/"')
REQUEST = {"model": "claude-opus-5-5", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


def listed(client: Client, address: str = "") -> list[uuid.UUID]:
    response = client.get(LIST + address)
    assert response.status_code == 200
    return [uuid.UUID(text) for text in ROW_LINK.findall(response.content.decode())]


def link(client: Client, address: str, rel: str) -> str | None:
    page = client.get(LIST + address).content.decode()
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return found.group(1).replace("&amp;", "&") if found else None


def many(number: int, **fields: Any) -> list[uuid.UUID]:
    """Rows of the list alone, a second apart, oldest first."""
    start = datetime.now(UTC) - timedelta(seconds=number)
    ensure_partitions(month=start.date())
    rows = [
        RequestLog(
            id=new_id(start + timedelta(seconds=place)),
            started_at=start + timedelta(seconds=place),
            method="POST",
            path="/v1/messages",
            dialect="anthropic",
            request_bytes=5,
            **({"outcome": "completed", "model": "claude-opus-5-5"} | fields),
        )
        for place in range(number)
    ]
    RequestLog.objects.bulk_create(rows, batch_size=1_000)
    ResponseLog.objects.bulk_create([ResponseLog(request_id=row.id) for row in rows], batch_size=1_000)
    return [row.id for row in rows]


def plan_of(rows: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return str(rows.explain())


def is_empty(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT 1 FROM "{table}" LIMIT 1')
        return cursor.fetchone() is None


def test_pages_follow_each_other_without_a_gap_or_a_repeat(admin: Client) -> None:
    ids = many(2 * ROWS_SHOWN + 7)
    seen, address = [], ""
    while True:
        seen += listed(admin, address)
        following = link(admin, address, "next")
        if following is None:
            break
        address = following
    assert seen == ids[::-1]


def test_the_way_back_leads_through_the_same_pages(admin: Client) -> None:
    many(2 * ROWS_SHOWN + 7)
    second = link(admin, "", "next")
    assert second
    first_page, second_page = listed(admin), listed(admin, second)
    third = link(admin, second, "next")
    assert third
    back = link(admin, third, "prev")
    assert back
    assert listed(admin, back) == second_page
    top = link(admin, back, "prev")
    assert top
    assert listed(admin, top) == first_page
    assert link(admin, top, "prev") is None


def test_a_page_of_an_empty_history_teaches_how_to_connect(admin: Client) -> None:
    page = admin.get(LIST).content.decode()
    assert "No requests yet" in page
    assert 'href="/"' in page


def test_the_number_of_queries_does_not_depend_on_the_rows(admin: Client) -> None:
    many(2)
    with CaptureQueriesContext(connection) as few:
        admin.get(LIST)
    many(60, client="claude-cli", status_code=200)
    many(5, client="codex", status_code=500, model="gpt-5.5")
    with CaptureQueriesContext(connection) as lots:
        admin.get(LIST)
    # Three more lookups of distinct values run inside the database, not as queries; one finds the person's groups.
    assert len(lots) == len(few) <= 9


def test_no_query_counts_skips_or_touches_a_body(admin: Client) -> None:
    many(ROWS_SHOWN + 1)
    with CaptureQueriesContext(connection) as queries:
        admin.get(LIST)
    for query in queries:
        text = query["sql"].upper()
        assert "OFFSET" not in text
        assert "STOREDBODY" not in text
        assert '"MESSAGE"' not in text
        assert '"USAGE"' not in text
        assert "COUNT(*)" not in text or "LIMIT 10001" in text


def test_a_list_reads_no_wide_column() -> None:
    wide = {"response__message", "response__usage", "response__attempts", "betas", "tags"}
    assert not wide & set(COLUMNS)


@pytest.mark.parametrize(
    "narrowed",
    [
        RequestFilter(),
        RequestFilter(outcome="denied"),
        RequestFilter(model="gpt-5.5"),
        RequestFilter(status="529"),
        RequestFilter(client="codex"),
        RequestFilter(session="s-1"),
    ],
    ids=lambda narrowed: "".join(f"{name}={value}" for name, value in narrowed.pairs()) or "no filter",
)
def test_every_page_is_read_from_an_index(narrowed: RequestFilter) -> None:
    many(2_000, client="claude-cli", status_code=200)
    many(20, client="codex", status_code=529, model="gpt-5.5", outcome="denied", session_id="s-1")
    matching = narrowed.apply(RequestLog.objects.all())
    for rows in (matching.order_by("-id")[:51], matching.filter(id__lt=first_id_at(datetime.now(UTC)))[:51]):
        plan = plan_of(rows)
        # Of a month without rows the planner rightly reads the table.
        assert all(is_empty(table) for table in re.findall(r"Seq Scan on (\w+)", plan)), plan
        assert "Index" in plan


def test_dates_leave_out_the_months_beside_them() -> None:
    long_ago = datetime(2026, 3, 15, tzinfo=UTC)
    keep([Sample(REQUEST, at=long_ago), Sample(REQUEST)])
    narrowed = RequestFilter(since="2026-03-01", until="2026-04-01")
    matching = narrowed.apply(RequestLog.objects.all())
    assert [row.started_at for row in read_page(matching, narrowed, {}).rows] == [long_ago]
    assert "2026_03" in plan_of(matching)
    assert f"{datetime.now(UTC):%Y_%m}" not in plan_of(matching)


def test_the_count_stops_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    many(12)
    assert counted(RequestLog.objects.all()) == "12"
    monkeypatch.setattr("gateway.admin.request_list.COUNTED", 10)
    assert counted(RequestLog.objects.all()) == "10+"


def test_filters_offer_what_there_is() -> None:
    many(3, client="claude-cli", status_code=200)
    many(3, client="codex", status_code=529, model="gpt-5.5")
    many(1, model=None, client="")
    offered = choices(RequestFilter(model="gone"))
    assert offered["model"] == ["claude-opus-5-5", "gpt-5.5", "gone"]
    assert offered["status"] == ["200", "529"]
    assert offered["client"] == ["claude-cli", "codex"]
    assert offered["outcome"] == [outcome.value for outcome in Outcome]


FILTERS = {
    "by outcome": "?outcome=denied",
    "by outcome as the admin spells it": "?outcome__exact=denied",
    "by model": "?model=gpt-5.5",
    "by status": "?status=403",
    "by status as the admin spells it": "?status_code__exact=403",
    "by client": "?client=codex",
    "by session": "?session=s-1",
    "by several": "?outcome=denied&model=gpt-5.5&client=codex",
    "by a session's id in the search": "?q=s-1",
    "by a prompt's id in the search": "?q=p-1",
}


@pytest.mark.parametrize("address", FILTERS.values(), ids=FILTERS.keys())
def test_filter(admin: Client, address: str) -> None:
    many(3, client="claude-cli", status_code=200)
    found = many(
        2, client="codex", model="gpt-5.5", status_code=403, outcome="denied", session_id="s-1", prompt_id="p-1"
    )
    many(3, client="claude-cli", status_code=200)
    assert listed(admin, address) == found[::-1]


def test_search_by_the_request_and_by_the_provider_s_id(admin: Client) -> None:
    keep_one(Sample(REQUEST))
    sought = keep_one(Sample(REQUEST, response_headers=[("request-id", "req_abc")]))
    keep_one(Sample(REQUEST))
    assert listed(admin, f"?q={sought}") == [sought]
    assert listed(admin, f"?q=%20{str(sought).upper()}%20") == [sought]
    assert listed(admin, "?q=req_abc") == [sought]
    assert listed(admin, "?q=nothing") == []


def test_the_search_for_the_provider_s_id_uses_its_index() -> None:
    many(2_000)
    rows = RequestFilter(q="req_abc").apply(RequestLog.objects.all())[:51]
    assert "upstream_request_id_idx" in plan_of(rows) or "responselog_upstream" in plan_of(rows)


NONSENSE = [
    "?outcome=nonsense",
    "?status=abc",
    "?status=99999999999999999999",
    "?status=²",
    "?since=yesterday",
    "?until=2026-02-31",
    "?since=2026-13-01T99:99",
    "?since=9999-12-31T23:59",
    "?since=0001-01-01T00:00-14:00",
    "?before=nonsense",
    "?after=00000000-0000-0000-0000-000000000000",
    "?before=ffffffff-ffff-ffff-ffff-ffffffffffff",
    "?q=%00",
    "?model=%00%27%22",
    "?q=" + "x" * 2_000,
    "?unknown=1&p=3&o=-1&e=1",
]


@pytest.mark.parametrize("address", NONSENSE)
def test_nonsense_in_the_address_is_no_error(admin: Client, address: str) -> None:
    many(2)
    assert admin.get(LIST + address).status_code == 200


@pytest.mark.parametrize("address", ["?outcome=nonsense", "?status=abc", "?since=yesterday"])
def test_a_filter_that_cannot_be_read_says_so_and_shows_nothing(admin: Client, address: str) -> None:
    many(2)
    assert listed(admin, address) == []
    assert 'role="alert"' in admin.get(LIST + address).content.decode()


def test_unknown_tokens_are_a_dash_and_zero_is_a_zero(admin: Client) -> None:
    keep_one(Sample({"model": "m"}, chunks=[b"{}"], response_headers=[("content-type", "application/json")]))
    page = admin.get(LIST).content.decode()
    assert '<td class="tl-n" data-label="Tokens in" title="\N{EN DASH}">\N{EN DASH}</td>' in page
    ResponseLog.objects.update(input_tokens=0)
    assert '<td class="tl-n" data-label="Tokens in" title="0">0</td>' in admin.get(LIST).content.decode()


def test_a_request_without_an_answer_row_is_listed(admin: Client) -> None:
    (request_id,) = many(1, outcome="interrupted")
    ResponseLog.objects.all().delete()
    assert listed(admin) == [request_id]
    assert admin.get(f"{LIST}{request_id}/", follow=True).status_code == 200


def test_hostile_names_are_escaped(admin: Client) -> None:
    probe = "<img src=x onerror=alert(1)>\"'"
    headers = [("user-agent", f"{probe}/1"), ("x-claude-code-session-id", probe)]
    keep_one(Sample({"model": probe, "messages": []}, request_headers=headers))
    page = admin.get(LIST).content.decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_it_is_read_only_and_for_those_who_may_see_it(admin: Client) -> None:
    (request_id,) = many(1)
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{request_id}/delete/", {"post": "yes"}).status_code == 403
    admin.post(f"{LIST}{request_id}/change/", {"method": "GET"})
    assert RequestLog.objects.get().method == "POST"
    other, stranger = Client(), User.objects.create_user("staff", password="x", is_staff=True)
    other.force_login(stranger)
    paths = (LIST, f"{LIST}{request_id}/", f"{LIST}{request_id}/change/", f"{LIST}{request_id}/raw/request/")
    for path in paths:
        assert other.get(path, follow=True).status_code == 403
        assert Client().get(path).status_code == 302
    stranger.user_permissions.add(Permission.objects.get(codename="view_requestlog"))
    assert other.get(LIST).status_code == 200
    for path in paths[1:]:
        assert other.get(path, follow=True).status_code == 403
    stranger.user_permissions.add(Permission.objects.get(codename="view_every_team"))
    for path in paths:
        assert other.get(path, follow=True).status_code == 200


def test_a_member_sees_the_teams_requests_and_no_trace_of_the_others() -> None:
    red, blue = keep(
        Sample({"model": f"asked-{team}"}, message_stream("Hi", model=f"m-{team}"), team=team)
        for team in ("red", "blue")
    )
    member = User.objects.create_user("ada", password="x", is_staff=True)
    member.user_permissions.add(Permission.objects.get(codename="view_requestlog"))
    Member.objects.create(user=member, team=Team.objects.create(name="red"), role=Member.Role.MEMBER)
    client = Client()
    client.force_login(member)
    for page in (LIST, f"{LIST}?q={blue}", "/admin/"):
        assert "blue" not in client.get(page).content.decode(), page
    assert client.get(f"{LIST}{blue}/", follow=True).status_code == 404
    assert "m-red" in client.get(f"{LIST}{red}/", follow=True).content.decode()
