"""One request: everything that was said, to those who may read it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from dashboard.models import AuditEvent
from gateway.models import Redaction, Team
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.read_api.callers import calling

pytestmark = pytest.mark.django_db
SAID = {"model": "m", "stop_sequences": None, "messages": [{"role": "user", "content": "a walrus says hi"}]}
LIMITS = [
    ("content-type", "text/event-stream; charset=utf-8"),
    ("anthropic-ratelimit-unified-5h-utilization", "0.0"),
    ("anthropic-ratelimit-unified-status", "allowed"),
    ("anthropic-ratelimit-requests-remaining", "0"),
    ("anthropic-ratelimit-tokens-limit", "many"),
]


def one(caller: str, found: uuid.UUID, query: str = "") -> Any:
    client, headers = calling(caller)
    answer = client.get(f"/api/v1/requests/{found}{query}", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def found() -> uuid.UUID:
    Team.objects.get_or_create(name="alpha")
    headers = [("User-Agent", "claude-cli"), ("X-Twice", "a"), ("X-Twice", "b")]
    chunks = message_stream("Hello, walrus.")
    (made,) = keep([Sample(SAID, chunks, team="alpha", request_headers=headers, response_headers=LIMITS)])
    return made


def test_it_holds_both_bodies_the_headers_and_the_times(found: uuid.UUID) -> None:
    told = one("key of alpha", found)
    request, response = told["request"], told["request"]["response"]
    assert (told["fullId"], told["bodiesHidden"]) == (str(found), False)
    assert request["body"] == SAID
    assert request["headers"]["X-Twice"] == ["a", "b"]
    assert request["userAgent"] == "claude-cli"
    assert response["body"]["content"] == [{"type": "text", "text": "Hello, walrus."}]
    assert (response["statusCode"], response["headers"]["content-type"]) == (200, [LIMITS[0][1]])
    times = [timing["elapsedMs"] for timing in response["chunkTimings"]]
    assert [timing["index"] for timing in response["chunkTimings"]] == list(range(len(times)))
    assert times == sorted(times)
    assert times[0] >= 900
    assert "streamingChunks" not in response


def test_zero_is_told_and_what_cannot_be_read_is_not(found: uuid.UUID) -> None:
    limits = one("key of alpha", found)["request"]["response"]["rateLimit"]
    assert limits == {"unifiedUtilization5h": 0.0, "unifiedStatus": "allowed", "requestsRemaining": 0}


def test_the_chunks_are_the_bytes_of_the_answer(found: uuid.UUID) -> None:
    chunks = one("key of alpha", found, "?chunks=true")["request"]["response"]["streamingChunks"]
    assert chunks == [chunk.decode() for chunk in message_stream("Hello, walrus.")]


def test_ops_see_figures_and_not_a_word(found: uuid.UUID) -> None:
    told = one("ops", found, "?chunks=true")
    assert told["bodiesHidden"]
    assert told["request"]["usage"]["input_tokens"] == 2_864
    assert set(told) == {"request", "fullId", "bodiesHidden"}
    assert "walrus" not in json.dumps(told)
    assert not {"headers", "body", "response", "userAgent"} & set(told["request"])


@pytest.mark.parametrize("caller", ["key of alpha", "member"])
def test_what_a_redaction_hides_is_hidden_here_too(found: uuid.UUID, caller: str) -> None:
    Redaction._default_manager.create(name="animals", patterns=["walrus"])
    told = one(caller, found, "?chunks=true")
    assert "walrus" not in json.dumps(told)
    assert "streamingChunks" not in told["request"]["response"], "a passage may lie across two chunks"


def test_a_persons_reading_is_written_down(found: uuid.UUID) -> None:
    one("member", found)
    event = AuditEvent.objects.get(action=AuditEvent.Action.READ)
    assert (event.actor_name, event.target) == ("member", f"read_api:one_request {found}")


def test_what_is_no_json_is_told_as_text() -> None:
    Team.objects.get_or_create(name="alpha")
    headers = (("content-type", "text/html"),)
    (made,) = keep([Sample(b"{broken", [b"<html>"], team="alpha", status=502, response_headers=headers)])
    request = one("key of alpha", made)["request"]
    assert request["bodyText"] == "{broken"
    assert request["response"]["bodyText"] == "<html>"
    assert "body" not in request
