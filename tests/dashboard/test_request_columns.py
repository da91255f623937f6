"""Which columns the list of requests has: a reader's choice, that stands in the address and goes where it goes."""

from __future__ import annotations

import html
import re
import uuid
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import conditional_escape

from dashboard.queries.request_columns import COLUMNS, USUAL_NAMES, Column, cells_of, fields_of, named, read_columns
from gateway.dialects.names import Outcome
from gateway.models import RequestLog, ResponseLog
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep, keep_one

pytestmark = pytest.mark.django_db

SESSION = "7a1de8a2-0b5c-4d8e-9c55-1f6f6a1c0001"
USUAL_HEADS = ["Model", "Key", "Client", "Outcome", "In", "Out", "Cache", "Cost", "First byte", "Duration"]
EVERY = "+".join(column.name for column in COLUMNS)


@pytest.fixture
def one() -> uuid.UUID:
    headers = [("user-agent", "claude-cli/2.1.329 (external, cli)"), ("x-claude-code-session-id", SESSION)]
    body = {"model": "claude-opus-5", "tools": [{"name": "Bash"}], "messages": [{"role": "user", "content": "hi"}]}
    found = keep_one(Sample(body, team="alpha", access_key="ada", request_headers=headers))
    ResponseLog.objects.filter(pk=found).update(cost_usd=Decimal("0.5"))
    return found


def page_of(query: str = "", role: str = "lead") -> str:
    return client_of(role).get(f"/d/requests/?{query}").content.decode()


def heads_on(page: str) -> list[str]:
    (head,) = re.findall(r"<thead><tr><th scope=\"col\">Started \(UTC\)</th>(.*?)</tr></thead>", page)
    return re.findall(r">([^<]+)</th>", head)


def cells_on(page: str) -> dict[str, str]:
    """What the cells of the first row say, by their labels."""
    row = page[page.index("data-row") :].split("</tr>")[0]
    return {
        label: " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())
        for label, text in re.findall(r'<td[^>]*? data-label="([^"]+)"[^>]*>(.*?)</td>', row, re.S)
    }


@pytest.mark.parametrize("query", ["", "columns=", "columns=nonsense", "columns=%00", "columns=started,id,key%27"])
def test_whoever_chooses_nothing_that_there_is_sees_the_usual_ones(one: uuid.UUID, query: str) -> None:
    page = page_of(query)
    assert heads_on(page) == USUAL_HEADS
    assert "columns=" not in page
    assert f"/d/r/{one}/" in page


@pytest.mark.parametrize("query", ["columns=cost,team", "columns=team+cost", "columns=%20cost%2C,team,team,nonsense"])
def test_the_columns_that_are_asked_for_stand_in_their_own_order(one: uuid.UUID, query: str) -> None:
    page = page_of(query)
    assert heads_on(page) == ["Team", "Cost"]
    assert cells_on(page) == {"Team": "alpha", "Cost": "$0.50"}
    assert f'data-peek="{one}"' in page


def test_every_column_says_what_the_row_has(one: uuid.UUID) -> None:
    cells = cells_on(page_of(f"columns={EVERY}"))
    size = cells.pop("Size of the prompt")
    assert re.fullmatch(r"\d+ B", size)
    assert re.search(r"s$", cells.pop("First byte"))
    assert re.search(r"s$", cells.pop("Duration"))
    assert re.search(r"^200 . completed$", cells.pop("Outcome"))
    assert cells == {
        "Model": "claude-opus-5-5",
        "Asked for": "claude-opus-5",
        "Team": "alpha",
        "Key": "ada alpha",
        "Client": cells["Client"],
        "Version": "2.1.329",
        "Provider": "anthropic",
        "Session": SESSION[:8],
        "Path": "/v1/messages",
        "Stop reason": "end_turn",
        "Attempts": "1",
        "Tokens in": "2.86k",
        "Tokens out": "6",
        "Cache read": "39.8k",
        "Cache written": "412",
        "Cost": "$0.50",
        "Messages": "1",
        "Tools": "1",
    }
    assert cells["Client"]


def test_what_is_not_known_is_a_dash_in_every_column() -> None:
    keep_one(Sample(b"", [], status=502, outcome=Outcome.UPSTREAM_ERROR, team="alpha"))
    ResponseLog.objects.all().delete()
    cells = cells_on(page_of(f"columns={EVERY}"))
    assert cells.pop("Outcome") == "502 ✕ upstream error"
    unknown = ("Model", "Session", "Stop reason", "Attempts", "Tokens in", "Cost", "Duration")
    assert {cells[name] for name in unknown} == {"\N{EN DASH}"}


def test_attempts_are_those_that_sent_something(one: uuid.UUID) -> None:
    tries = [{"phase": "plan"}, {"phase": "connect"}, {"phase": None}]
    ResponseLog.objects.filter(pk=one).update(attempts=tries)
    assert cells_on(page_of("columns=attempts")) == {"Attempts": "2"}


def test_what_others_wrote_stays_text() -> None:
    hostile = '"><script>alert(1)</script>'
    keep_one(Sample({"model": hostile}, team="alpha", request_headers=[("x-claude-code-session-id", hostile)]))
    page = page_of(f"columns={EVERY}")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_boxes_that_are_ticked_become_one_name_in_the_address(one: uuid.UUID) -> None:
    answer = client_of("lead").get("/d/requests/?range=7d&q=is:failed&columns=cost&columns=team&columns=nonsense")
    assert (answer.status_code, answer["Location"]) == (302, "/d/requests/?range=7d&q=is%3Afailed&columns=team+cost")
    usual = "&".join(f"columns={name}" for name in USUAL_NAMES)
    assert client_of("lead").get(f"/d/requests/?{usual}")["Location"] == "/d/requests/?"


def test_the_form_has_what_is_chosen_and_keeps_what_is_looked_at(one: uuid.UUID) -> None:
    page = page_of("range=7d&team=alpha&q=model:opus&columns=team,cost")
    form = page[page.index('class="cl-menu"') :].split("</form>")[0]
    assert re.findall(r'value="([^"]+)" checked', form) == ["team", "cost"]
    assert len(re.findall('type="checkbox"', form)) == len(COLUMNS)
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', form)
    assert hidden == [("range", "7d"), ("team", "alpha"), ("q", "model:opus")]
    assert 'href="?range=7d&amp;team=alpha&amp;q=model%3Aopus">The usual ones' in form


def test_the_choice_goes_where_the_reader_goes() -> None:
    keep([Sample({"model": "claude-opus-5-5"}, team="alpha") for _ in range(51)])
    page = html.unescape(page_of("range=7d&q=model:opus+team:alpha&columns=team,cost"))
    kept = "columns=team+cost"
    older = re.search(r'href="(\?[^"]+)" rel="next"', page)
    assert older
    assert kept in older[1]
    assert heads_on(page_of(older[1][1:])) == ["Team", "Cost"]
    assert f'href="?range=7d&q=model%3Aopus&{kept}" title="Take team:alpha away"' in page
    assert re.search(rf'<tr data-t="\d+"><th scope="row"><a href="\?[^"]*{re.escape(kept)}', page), "a bar of the chart"
    assert re.search(rf'href="\?range=30d&q=model%3Aopus\+team%3Aalpha&{re.escape(kept)}"', page), "another range"
    for name in ("search", "data-scope"):
        (form,) = re.findall(rf"<form class=[^>]*{name}.*?</form>", page, re.S)
        assert 'name="columns" value="team cost"' in form, name


def test_a_file_has_its_own_columns(one: uuid.UUID) -> None:
    page = html.unescape(page_of("columns=team,cost"))
    assert "/d/requests/file/?format=csv" in page
    taken = client_of("lead").get("/d/requests/file/?columns=team").content.decode()
    assert taken.startswith("id,started_at,team,access_key,client,")


def test_a_view_keeps_the_columns(one: uuid.UUID) -> None:
    lead = client_of("lead")
    sent = {"page": "requests", "name": "What it costs", "query": "columns=team+cost", "team": ""}
    assert lead.post("/d/views/", sent)["Location"] == "/d/requests/?columns=team+cost"
    page = lead.get("/d/requests/?columns=cost,team,nonsense").content.decode()
    assert "Views: What it costs" in page, "the same choice, however it is written"
    assert 'name="query" value="columns=team+cost"' in page


def test_no_more_is_read_than_is_shown(one: uuid.UUID) -> None:
    assert "response__attempts" not in fields_of(read_columns({}))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page_of("columns=team")
    lists = [query["sql"] for query in asked if '"started_at"' in query["sql"]]
    assert len(lists) == 1
    assert "responselog" not in lists[0]
    with CaptureQueriesContext(connection) as asked:
        page_of(f"columns={EVERY}")
    lists = [query["sql"] for query in asked if '"started_at"' in query["sql"]]
    assert len(lists) == 1, "what a column shows comes with the row"
    assert lists[0].count(" JOIN ") == 1
    assert not [query["sql"] for query in asked if 'WHERE "gateway_requestlog"."id" =' in query["sql"]]


def test_columns_show_no_row_of_another_team(one: uuid.UUID) -> None:
    assert "ada" not in page_of(f"columns={EVERY}", "other").split("<main")[1]
    assert cells_on(page_of(f"columns={EVERY}", "ops"))["Session"] == SESSION[:8]


def test_what_a_request_says_of_itself_is_escaped_in_a_cell_and_a_cell_that_is_not_marked_safe_is_text() -> None:
    row = RequestLog(access_key="<b onmouseover='x'>", model="m")
    model, key = named("model", "Model", "model"), named("key", "Key", "access_key")
    cells = conditional_escape(cells_of([model, key], row))
    assert cells.count("<td") == 2
    assert "<b" not in cells
    assert "&lt;b onmouseover=&#x27;x&#x27;&gt;" in cells

    class Careless(Column):
        def html(self, row: RequestLog) -> str:  # type: ignore[override]
            return f"<td>{row.access_key}</td>"

    careless = Careless(key.name, key.head, key.label, key.reads, key.cell)
    assert "<" not in conditional_escape(cells_of([model, careless], row))
