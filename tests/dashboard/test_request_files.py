"""The list of requests as a file, and the parts of a query above it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import uuid

import pytest
from django.http import HttpResponse

from dashboard.models import AuditEvent
from dashboard.queries import request_files
from dashboard.queries.request_query import chips_of
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "the walrus sings"}]}


def taken(role: str, query: str = "") -> HttpResponse:
    answer: HttpResponse = client_of(role).get(f"/d/requests/file/?{query}")
    return answer


def rows_of(answer: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


@pytest.fixture
def three() -> list[uuid.UUID]:
    plain = Sample(REQUEST, team="alpha")
    formula = Sample(REQUEST | {"model": "=HYPERLINK(1)"}, [b"{}"], team="alpha", access_key="@ada")
    return keep([plain, formula, Sample(REQUEST, team="beta")])


def test_a_table_has_what_the_list_finds_and_no_formula(three: list[uuid.UUID]) -> None:
    answer = taken("lead")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="turnlog-requests.csv"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "no-store"
    formula, plain = rows_of(answer)
    assert [formula["id"], plain["id"]] == [str(three[1]), str(three[0])]
    assert (formula["requested_model"], formula["access_key"]) == ("'=HYPERLINK(1)", "'@ada")
    assert (formula["input_tokens"], plain["input_tokens"]) == ("", "2864"), "what is not known is not zero"
    assert b"walrus" not in answer.content


def test_lines_of_json_have_the_same(three: list[uuid.UUID]) -> None:
    answer = taken("lead", "format=ndjson")
    assert answer["Content-Type"] == "application/x-ndjson"
    formula, plain = [json.loads(line) for line in answer.content.decode().splitlines()]
    assert formula["requested_model"] == "=HYPERLINK(1)"
    assert formula["cost_usd"] is None
    assert (plain["input_tokens"], plain["status_code"]) == (2864, 200)
    assert re.fullmatch(r"\d+\.\d{6}", plain["cost_usd"])


def test_a_query_narrows_it_and_one_that_cannot_be_read_is_refused(three: list[uuid.UUID]) -> None:
    assert [row["id"] for row in rows_of(taken("superuser", "q=team:beta"))] == [str(three[2])]
    refused = taken("superuser", "q=modelx:opus")
    assert refused.status_code == 400
    assert b"did you mean model" in refused.content


def test_it_is_bounded(three: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_files, "MOST", 2)
    newest = sorted(map(str, three), reverse=True)[:2]
    assert [row["id"] for row in rows_of(taken("superuser"))] == newest


def test_it_is_written_down(three: list[uuid.UUID]) -> None:
    taken("ops", "q=team:beta&format=ndjson")
    event = AuditEvent.objects.exclude(action="signed in").get()
    assert (event.action, event.actor_name, event.target) == ("exported", "ops", "d:requests_file")
    assert event.details == "q=team:beta&format=ndjson"


def test_each_part_of_a_query_can_be_taken_away(three: list[uuid.UUID]) -> None:
    assert chips_of('model:opus "the walrus" -is:failed') == [
        ("model:opus", '"the walrus" -is:failed'),
        ('"the walrus"', "model:opus -is:failed"),
        ("-is:failed", 'model:opus "the walrus"'),
    ]
    page = html.unescape(client_of("lead").get("/d/requests/?q=model:opus+team:alpha&range=7d").content.decode())
    assert 'href="?range=7d&q=team%3Aalpha" title="Take model:opus away"' in page
    assert "/d/requests/file/?range=7d&q=model%3Aopus+team%3Aalpha&format=csv" in page
