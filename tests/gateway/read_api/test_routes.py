"""The read API: spellings, pages, sums, and who sees what."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from gateway.configuration.sealing import access_key_pepper
from gateway.history.rollups import roll_up_all
from gateway.models import ApiKey, Grade, Team
from gateway.models.at_rest import seal_json
from gateway.policy.keys import digest_key
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db
KEY = "a-key-of-alpha-0123456789"
REQUEST = {"model": "claude-opus-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
ROUTES = (
    "requests", "requests/summary", "requests/latest-date", "stats", "stats/hourly", "stats/models", "stats/providers",
    "stats/performance", "stats/subagents", "stats/tools", "conversations",
)  # fmt: skip


@pytest.fixture
def ids() -> dict[str, list[uuid.UUID]]:
    """Three requests of alpha, an hour old, and one of beta, summed up."""
    at = datetime.now(UTC) - timedelta(hours=1)
    alpha = keep([Sample(REQUEST, team="alpha", at=at + timedelta(seconds=number)) for number in range(3)])
    beta = keep([Sample(REQUEST, team="beta", at=at)])
    for team in ("alpha", "beta"):
        Team.objects.get_or_create(name=team)
    roll_up_all()
    return {"alpha": alpha, "beta": beta}


def key_of(team: str | None, value: str = KEY, **changes: Any) -> dict[str, str]:
    owner = Team.objects.get(name=team) if team else None
    digest = digest_key(access_key_pepper(), value.encode())
    ApiKey.objects.create(name=f"key-{value[-3:]}", team=owner, digest=digest, **changes)
    return {"Authorization": f"Bearer {value}"}


def get(client: Client, route: str, status: int = 200, **headers: Any) -> Any:
    answer = client.get(f"/api/v1/{route}", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_summary_is_spelled_as_its_clients_know_it(ids: dict[str, list[uuid.UUID]]) -> None:
    page = get(Client(), "requests/summary?limit=2", **key_of("alpha"))
    assert (page["total"], page["totalIsCapped"], page["limit"]) == (3, False, 2)
    first = page["requests"][0]
    assert first["requestId"] == str(max(ids["alpha"]))
    assert {"timestamp", "method", "endpoint", "model", "originalModel", "statusCode", "responseTime"} <= set(first)
    assert first["usage"]["cache_read_input_tokens"] == 39_844
    assert first["stopReason"] == "end_turn"
    assert "conversationHash" not in first, "absent is not empty"
    rest = get(Client(), f"requests/summary?limit=2&before={page['next']}", Authorization=f"Bearer {KEY}")
    seen = [row["requestId"] for row in (*page["requests"], *rest["requests"])]
    assert seen == [str(id) for id in sorted(ids["alpha"], reverse=True)]
    assert "next" not in rest


def test_sums_are_those_of_the_rollups(ids: dict[str, list[uuid.UUID]]) -> None:
    headers = key_of("alpha")
    (day,) = get(Client(), "stats", **headers)["dailyStats"]
    (hour,) = get(Client(), "stats/hourly", **headers)["hourlyStats"]
    assert day["requests"] == hour["requests"] == 3
    assert day["models"] == hour["models"] == {"claude-opus-5-5": {"tokens": day["tokens"], "requests": 3}}
    (model,) = get(Client(), "stats/models", **headers)["modelStats"]
    assert model == {"model": "claude-opus-5-5", "tokens": day["tokens"], "requests": 3}
    (provider,) = get(Client(), "stats/providers", **headers)["providers"]
    assert (provider["requests"], provider["errorCount"], provider["totalTokens"]) == (3, 0, day["tokens"])
    (latency,) = get(Client(), "stats/performance", **headers)["stats"]
    assert latency["requestCount"] == 3
    assert latency["avgResponseMs"] == pytest.approx(latency["p50ResponseMs"], rel=0.1)


@pytest.mark.parametrize(
    ("role", "status", "requests"),
    [("anonymous", 401, 0), ("stranger", 403, 0), ("disabled", 401, 0), ("ops", 200, 4), ("member", 200, 3),
     ("lead", 200, 3), ("other", 200, 1), ("admin", 200, 4)],
)  # fmt: skip
def test_everybody_sees_their_own_teams(ids: dict[str, list[uuid.UUID]], role: str, status: int, requests: int) -> None:
    client = client_of(role)
    for route in ROUTES:
        get(client, route, status)
    if status == 200:
        assert get(client, "requests/summary")["total"] == requests
        assert sum(row["requests"] for row in get(client, "stats/models")["modelStats"]) == requests
    sees = role in ("other", "admin", "ops")
    get(client, f"requests/{ids['beta'][0]}", status if status != 200 else 200 if sees else 404)


def test_a_key_sees_nothing_of_another_team_and_only_while_it_is_good(ids: dict[str, list[uuid.UUID]]) -> None:
    headers = key_of("alpha")
    get(Client(), f"requests/{ids['alpha'][0]}", **headers)
    get(Client(), f"requests/{ids['beta'][0]}", 404, **headers)
    get(Client(), f"requests/{uuid.uuid4()}", 404, **headers)
    bad = [
        key_of(None, "key-of-no-team-000"),
        key_of("alpha", "key-revoked-111", enabled=False),
        key_of("alpha", "key-expired-222", expires_at=datetime.now(UTC) - timedelta(seconds=1)),
        {"Authorization": "Bearer nobody"},
        {"x-api-key": "é"},
    ]
    for headers in bad:
        for route in ROUTES:
            get(Client(), route, 401, **headers)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "before=7", "start=yesterday", "start=2026-01-01T00:00:00", "model=%00"],
)
def test_what_cannot_be_meant_is_told(ids: dict[str, list[uuid.UUID]], query: str) -> None:
    get(Client(), f"requests/summary?{query}", 422, **key_of("alpha"))


@pytest.mark.parametrize("times", ["start=0001-01-01T00:00Z", "end=9999-12-31T23:59Z", "end=1969-01-01T00:00Z"])
def test_times_at_the_edge_are_answered(ids: dict[str, list[uuid.UUID]], times: str) -> None:
    headers = key_of("alpha")
    for route in ROUTES:
        if route == "requests/latest-date":
            continue
        get(Client(), f"{route}?{times}", **headers)


def test_the_document_is_open_and_lists_every_route() -> None:
    paths = get(Client(), "openapi.json")["paths"]
    assert {f"/api/v1/{route}" for route in ROUTES} < set(paths)


def post(asked: dict[str, Any], status: int = 200, client: Client | None = None, **headers: Any) -> Any:
    address = "/api/v1/grade-prompt"
    answer = (client or Client()).post(address, asked, content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_prompt_is_graded_once_and_told_when_it_is_done(ids: dict[str, list[uuid.UUID]]) -> None:
    headers = key_of("alpha")
    asked = {"messages": [{"role": "user", "content": "Fix it."}], "systemMessages": [{"type": "text", "text": "s"}]}
    first = post(asked, **headers)
    assert (first["isProcessing"], first["maxScore"], "score" in first) == (True, 5, False)
    grade = Grade.objects.get()
    assert (grade.team, grade.origin, grade.told) == ("alpha", "api", ["Fix it.", "s"])
    said = {"feedback": "f", "improved_prompt": "i", "criteria": {"clarity": "c"}}
    done = {"state": "done", "score": 4, "points": {"clarity": 4}, "said": seal_json(said)}
    Grade.objects.update(**done, graded_at=datetime.now(UTC))
    told = post(asked, **headers)
    assert (told["isProcessing"], told["score"], told["feedback"], told["improvedPrompt"]) == (False, 4, "f", "i")
    assert told["criteria"] == {"clarity": {"score": 4, "feedback": "c"}}
    assert Grade.objects.count() == 1
    post({"requestId": str(ids["alpha"][0])}, **headers)
    assert Grade.objects.count() == 2


def test_grades_are_asked_for_by_keys_alone_and_of_their_own_team(ids: dict[str, list[uuid.UUID]]) -> None:
    headers = key_of("alpha")
    post({"requestId": str(ids["beta"][0])}, 404, **headers)
    post({"requestId": str(ids["alpha"][0])}, 401)
    post({"requestId": str(ids["alpha"][0])}, 401, client_of("member"))
    post({"messages": []}, 400, **headers)
    post({"messages": [{"role": "user", "content": 7}]}, 400, **headers)
    post({"messages": "x"}, 422, **headers)
    assert not Grade.objects.exists()


def test_an_id_whose_time_no_calendar_has_is_newer_than_everything(ids: dict[str, list[uuid.UUID]]) -> None:
    headers = key_of("alpha")
    before = "f2a092af-4c6d-5257-8da7-4548797e1d30"
    for route in (
        "requests?",
        "requests/summary?",
        "conversations?",
        "search?q=hello&",
        "conversations/search?q=hello&",
    ):
        get(Client(), f"{route}before={before}", **headers)
    get(Client(), f"requests/{before}", 404, **headers)
