"""What the processes log: one warning for a failed forward, one id everywhere, no secret and no body anywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import free_port
from tests.e2e.processes import ROOT, WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider

CANARY = "sk-ant-api03-canary-of-the-log-0123456789"
PROMPT = "nobody logs what is asked here"
ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HEADERS: Pairs = [
    (b"x-api-key", CANARY.encode()),
    (b"Content-Type", b"application/json"),
    (b"anthropic-beta", b"context-1m,interleaved-thinking"),
]
OPENAI_CANARY = "sk-proj-canary-of-the-log-0123456789"
OPENAI_HEADERS: Pairs = [(b"Authorization", b"Bearer " + OPENAI_CANARY.encode()), *HEADERS[1:]]
BODY = json.dumps(
    {
        "model": "claude-opus-5-5",
        "stream": True,
        "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": PROMPT}],
    }
).encode()


@pytest.fixture(scope="module")
def logging_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """Logs JSON. Nothing listens at its OpenAI."""
    environment = upstreams | {
        "TURNLOG_LOG_FORMAT": "json",
        "TURNLOG_LOG_LEVEL": "debug",
        "TURNLOG_OPENAI_URL": f"http://127.0.0.1:{free_port()}",
        "TURNLOG_IDLE_TIMEOUT": "0.5",
    }
    with running_web(tmp_path_factory.mktemp("logging"), session_database_url, **environment) as process:
        yield process


def lines(web: WebProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in web.output.split("\n") if line.startswith("{")]


def failed_forwards(web: WebProcess, request_id: bytes) -> list[dict[str, Any]]:
    named = [line for line in lines(web) if line.get("request_id") == request_id.decode()]
    return [line for line in named if line["event"] == "forward failed"]


def id_of(answer: Any) -> bytes:
    assert answer.pairs[-1][0] == b"x-turnlog-request-id" or answer.pairs[-2][0] == b"x-turnlog-request-id"
    value = answer.header(b"x-turnlog-request-id")
    assert ID.fullmatch(value), value
    return bytes(value)


ANSWERS = {
    "a relayed answer": ("POST", "/v1/messages?mark=relayed", 200),
    "a probe": ("GET", "/livez", 200),
    "a refused method": ("DELETE", "/v1/messages", 405),
    "a path that is not there": ("GET", "/v2/messages", 404),
    "a request that is no HTTP": ("GET", "/v1/messages?" + "x" * 20_000, 414),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_names_its_request(logging_web: WebProcess, name: str) -> None:
    method, target, status = ANSWERS[name]
    answers = [ask(logging_web, method, target, HEADERS, BODY if method == "POST" else b"") for _ in range(2)]
    assert [answer.status for answer in answers] == [status, status]
    if name != "a path that is not there":
        assert len({id_of(answer) for answer in answers}) == 2


def test_the_id_is_the_one_in_the_history(logging_web: WebProcess) -> None:
    answer = ask(logging_web, "POST", "/v1/messages?mark=history", HEADERS, BODY)
    kept = find(logging_web, "mark=history").exchange_id.hex()
    assert id_of(answer).replace(b"-", b"") == kept.encode()


def test_a_failed_forward_is_one_warning_with_all_there_is_to_know(logging_web: WebProcess) -> None:
    query = f"/v1/responses?mark=log&key={CANARY}"
    answer = ask(logging_web, "POST", query, OPENAI_HEADERS, BODY)
    assert answer.status == 502
    [line] = failed_forwards(logging_web, id_of(answer))
    assert line["level"] == "warning"
    assert line["logger"] == "gateway.api.failure_log"
    assert line["cause"] == "connection refused"
    assert line["query"].startswith("mark=log&key=fp:")
    expected = {
        "model": "claude-opus-5-5",
        "stream": True,
        "body_bytes": len(BODY),
        "has_thinking": True,
        "anthropic_beta": "context-1m,interleaved-thinking",
        "phase": "connect",
        "client_left": False,
        "provider": "openai",
    }
    assert {name: line[name] for name in expected} == expected
    assert 0 <= line["elapsed"] < 10


def test_a_stream_that_breaks_is_told_too(logging_web: WebProcess, provider: FakeProvider) -> None:
    answer = ask(logging_web, "POST", "/v1/messages", [*HEADERS, (b"x-scenario", b"silence")], BODY)
    assert answer.status == 200
    [line] = until(lambda: failed_forwards(logging_web, id_of(answer)), what="the line in the log")
    assert (line["phase"], line["body_bytes"], line["has_thinking"]) == ("body", len(BODY), True)


def test_an_error_the_provider_answers_is_no_failure_of_ours(logging_web: WebProcess, provider: FakeProvider) -> None:
    answer = ask(logging_web, "POST", "/v1/messages", [*HEADERS, (b"x-scenario", b"error_529")], BODY)
    assert answer.status == 529
    assert failed_forwards(logging_web, id_of(answer)) == []


def test_no_secret_and_no_body_is_logged(logging_web: WebProcess) -> None:
    ask(logging_web, "POST", f"/v1/responses?key={CANARY}", OPENAI_HEADERS, BODY)
    ask(logging_web, "POST", "/v1/messages", [*HEADERS, (b"x-scenario", b"silence")], BODY)
    assert "forward failed" in logging_web.output
    for secret in (CANARY, OPENAI_CANARY):
        assert secret not in logging_web.output
    assert PROMPT not in logging_web.output


COMMANDS = [["status", "--json"], ["history", "list", "--json"], ["deadletters", "list", "--json"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_print_json_and_nothing_else(session_database_url: str, tmp_path: Any, command: list[str]) -> None:
    environment = os.environ | {
        "DATABASE_URL": session_database_url,
        "TURNLOG_DATA_DIR": str(tmp_path),
        "TURNLOG_LOG_LEVEL": "debug",
        "TURNLOG_METRICS_LOG": "1",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    for line in done.stdout.split("\n"):
        if line:
            json.loads(line)
