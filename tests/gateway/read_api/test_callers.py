"""Every route, asked by everybody: who is answered, and that nobody sees a word or a number of another team."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.history.rollups import roll_up_all
from gateway.history.search.index import index_batch
from gateway.models import RequestLog, Team
from gateway.read_api.routes import api
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.read_api.callers import CALLERS, calling

pytestmark = pytest.mark.django_db
TEAMS = ("alpha", "beta")
SECRET = {"alpha": "zebrafish", "beta": "wolverine"}
MODEL = {"alpha": "claude-opus-5-5", "beta": "claude-haiku-5-5"}
SEES_FIGURES = {
    "nobody": (), "stranger": (), "key of alpha": ("alpha",), "key of beta": ("beta",), "member": ("alpha",),
    "lead": ("alpha",), "other": ("beta",), "ops": TEAMS, "admin": TEAMS,
}  # fmt: skip
READS = SEES_FIGURES | {"ops": ()}
UNKNOWN = {"nobody": 401, "stranger": 403}

FIGURES = "figures"
SAID = "said"
"""What a route shows: figures, to ops too; or what was said, to those alone who may read it."""
ROUTES: dict[tuple[str, str], tuple[str, str]] = {
    ("GET", "/requests"): ("/requests", FIGURES),
    ("GET", "/requests/summary"): ("/requests/summary", FIGURES),
    ("GET", "/requests/latest-date"): ("/requests/latest-date", FIGURES),
    ("GET", "/requests/{request_id}"): ("/requests/{id}", FIGURES),
    ("GET", "/conversations"): ("/conversations", FIGURES),
    ("GET", "/conversations/search"): ("/conversations/search?q={secret}", SAID),
    ("GET", "/conversations/{session_id}"): ("/conversations/session-{team}", SAID),
    ("GET", "/search"): ("/search?q={secret}", SAID),
    ("GET", "/stats"): ("/stats", FIGURES),
    ("GET", "/stats/hourly"): ("/stats/hourly", FIGURES),
    ("GET", "/stats/models"): ("/stats/models", FIGURES),
    ("GET", "/stats/providers"): ("/stats/providers", FIGURES),
    ("GET", "/stats/performance"): ("/stats/performance", FIGURES),
    ("GET", "/stats/subagents"): ("/stats/subagents", FIGURES),
    ("GET", "/stats/tools"): ("/stats/tools", FIGURES),
}
OTHERS = {
    ("POST", "/grade-prompt"): dict.fromkeys(("key of alpha", "key of beta"), 404),
    ("GET", "/settings"): {"ops": 200, "admin": 200},
    ("PUT", "/settings"): {"admin": 200},
    ("DELETE", "/requests"): {"admin": 400},
}
"""Routes that few may ask, and what they are answered; everybody else is refused."""


@pytest.fixture
def ids() -> dict[str, str]:
    """One request of each team, with a subagent, a tool, and a word that nobody else says."""
    at = datetime.now(UTC) - timedelta(minutes=90)
    found = {}
    for team in TEAMS:
        Team.objects.get_or_create(name=team)
        headers = [("x-claude-code-session-id", f"session-{team}")]
        body = {
            "model": MODEL[team],
            "max_tokens": 5,
            "tools": [{"name": f"Tool-{team}", "input_schema": {}}],
            "messages": [{"role": "user", "content": f"the {SECRET[team]} of {team}"}],
        }
        answer = message_stream(f"a {SECRET[team]}", model=MODEL[team])
        (one,) = keep([Sample(body, answer, team=team, at=at, request_headers=headers)])
        found[team] = str(one)
    roll_up_all()
    while index_batch():
        pass
    return found


def ask(caller: str, method: str, address: str, body: Any = None) -> tuple[int, Any]:
    client, headers = calling(caller)
    answer = client.generic(
        method, f"/api/v1{address}", json.dumps(body or {}), content_type="application/json", headers=headers
    )
    return answer.status_code, json.loads(answer.content)


def test_the_table_has_every_route() -> None:
    known = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    assert known == {*ROUTES, *OTHERS}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_nobody_sees_a_thing_of_another_team(ids: dict[str, str], route: tuple[str, str], caller: str) -> None:
    address, shows = ROUTES[route]
    for team in TEAMS:
        asked = address.format(id=ids[team], team=team, secret=SECRET[team])
        status, told = ask(caller, route[0], asked)
        assert status in ({UNKNOWN[caller]} if caller in UNKNOWN else {200, 403, 404}), told
        if status != 200:
            assert set(told) == {"error", "details"}
        for other in TEAMS:
            text = json.dumps(told).replace(json.dumps(told.get("query", "")), "")
            if other not in READS[caller]:
                assert SECRET[other] not in text
                assert f"Tool-{other}" not in text
            if other not in SEES_FIGURES[caller]:
                assert ids[other] not in text
                assert MODEL[other] not in text
        if caller in UNKNOWN:
            continue
        allowed = team in (READS if shows == SAID else SEES_FIGURES)[caller]
        if "{id}" in address or "{team}" in address:
            assert status == (200 if allowed else 403 if shows == SAID and not READS[caller] else 404), told
        elif shows == SAID:
            assert status == (200 if READS[caller] else 403), told
            if status == 200:
                assert (told["results"] != []) == allowed
        else:
            assert status == 200


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", OTHERS, ids=" ".join)
def test_what_changes_or_costs_is_for_few(ids: dict[str, str], route: tuple[str, str], caller: str) -> None:
    other = "beta" if caller == "key of alpha" else "alpha"
    address, body = route[1], None
    if route[1] == "/grade-prompt":
        body = {"requestId": ids[other]}
    if route == ("PUT", "/settings"):
        body = {"requestHeaderRules": [], "responseHeaderRules": []}
    if route[0] == "DELETE":
        address = "/requests?session=session-alpha&reason=asked"
    if route[0] == "DELETE" and caller == "admin":
        address = "/requests?session=session-alpha&team=alpha&reason=asked"
    status, told = ask(caller, route[0], address, body)
    allowed = OTHERS[route].get(caller)
    assert status == allowed if allowed else status in (401, 403), told
    if status != 200:
        assert set(told) == {"error", "details"}
    assert RequestLog.objects.filter(id=ids["alpha"]).exists()


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_page_of_another_site_is_given_no_leave_to_read(ids: dict[str, str], method: str) -> None:
    client, headers = calling("member")
    asking = {**headers, "Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    answer = client.generic(method, "/api/v1/requests", headers=asking)
    assert answer.status_code == (200 if method == "GET" else 405)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
