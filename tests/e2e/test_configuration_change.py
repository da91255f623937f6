"""Changing the configuration of a running gateway: in force within a second, and no request is lost over it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import free_port
from tests.e2e.processes import ROOT, ProviderThread, WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]
BODY = b'{ "model" : "claude-opus-4-5","max_tokens":1, "model":"claude-opus-4-5"}'


@pytest.fixture(scope="module")
def second_provider() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        yield provider


@pytest.fixture(scope="module")
def module_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    with running_web(tmp_path_factory.mktemp("configured"), session_database_url, **upstreams) as web:
        yield web


@pytest.fixture
def own_web(module_web: WebProcess, second_provider: FakeProvider, session_database_url: str) -> Iterator[WebProcess]:
    """A gateway whose configuration is put back afterwards."""
    second_provider.requests.clear()
    yield module_web
    with psycopg.connect(session_database_url, autocommit=True) as connection:
        for table in ("modelroute", "credential", "provider", "apikey", "team"):
            connection.execute(f"DELETE FROM gateway_{table}")
    until(lambda: ask(module_web, "POST", "/v1/messages", HEADERS, BODY).status == 200, 2, "the old configuration")


KEYLESS = "providers: [{name: anthropic, dialect: anthropic, keyless: true}]\n"


def config(web: WebProcess, document: str, *options: str) -> str:
    result = subprocess.run(
        [sys.executable, "manage.py", "config", "apply", "-", *options],
        cwd=ROOT,
        env=web.environment,
        input=document,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def route_document(provider: FakeProvider, model: str) -> str:
    return (
        f"providers:\n- {{name: second, dialect: anthropic, address: '{provider.url}/v1/', "
        "keyless: true}\n"
        f"routes:\n- {{match: 'claude-opus-*', provider: second, model: {model}}}\n"
    )


def test_a_route_changes_under_traffic_without_a_failed_request(
    own_web: WebProcess, provider: FakeProvider, second_provider: FakeProvider
) -> None:
    statuses: list[int] = []
    stopping = threading.Event()

    def keep_asking() -> None:
        while not stopping.is_set():
            statuses.append(ask(own_web, "POST", "/v1/messages", HEADERS, BODY).status)

    threads = [threading.Thread(target=keep_asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(provider.requests) > 5, what="traffic at the first provider")
        config(own_web, route_document(second_provider, "claude-haiku-4-5"))
        applied = time.monotonic()
        until(lambda: second_provider.requests, 1, "traffic at the second provider")
        assert time.monotonic() - applied < 1
        until(lambda: len(second_provider.requests) > 5, what="more of it")
    finally:
        stopping.set()
        for thread in threads:
            thread.join(10)
    assert set(statuses) == {200}
    seen = second_provider.requests[-1]
    assert seen.body == BODY.replace(b"claude-opus-4-5", b"claude-haiku-4-5")
    assert seen.header("content-length") == b"%d" % len(seen.body)
    assert seen.header("x-api-key") is None
    assert seen.target == b"/v1/messages"


def test_a_changed_model_is_recorded_with_the_bytes_it_replaced(
    own_web: WebProcess, second_provider: FakeProvider
) -> None:
    config(own_web, route_document(second_provider, "other"))

    def routed() -> bool:
        ask(own_web, "POST", "/v1/messages?patched=1", HEADERS, BODY)
        return bool(second_provider.requests) and b'"other"' in second_provider.requests[-1].body

    until(routed, 2, "the route")
    exchange = find(own_web, "patched=1")
    assert exchange.body == BODY
    patched = BODY
    for patch in sorted(exchange.patches, key=lambda patch: patch.start, reverse=True):
        patched = patched[: patch.start] + patch.text + patched[patch.end :]
    assert patched == second_provider.requests[-1].body
    assert (exchange.admission.requested_model, exchange.admission.routed_model) == ("claude-opus-4-5", "other")
    assert exchange.admission.provider == "second"


def test_a_route_to_the_other_api_is_501(own_web: WebProcess, provider: FakeProvider) -> None:
    config(own_web, "routes:\n- {match: embed-x, provider: anthropic}\n")

    def refused() -> bool:
        answer = ask(own_web, "POST", "/v1/embeddings", HEADERS, b'{"model":"embed-x"}')
        return answer.status == 501 and answer.header(b"x-should-retry") == b"false" and b"not_supported" in answer.body

    until(refused, 2, "the refusal")


def test_the_first_api_key_closes_an_open_gateway_and_the_last_opens_it(
    own_web: WebProcess, provider: FakeProvider
) -> None:
    output = config(
        own_web, KEYLESS + "teams: [{name: search}]\napi_keys:\n- {name: ada, team: search, generate: true}\n"
    )
    key = output.partition("shown this once: ")[2].strip().encode()
    until(lambda: ask(own_web, "POST", "/v1/messages", HEADERS, BODY).status == 401, 2, "the closing")
    assert ask(own_web, "POST", "/v1/messages?team=1", [(b"x-api-key", key)], BODY).status == 200
    admission = find(own_web, "team=1").admission
    assert (admission.access_key, admission.team) == ("ada", "search")
    config(own_web, "api_keys: []\n", "--prune", "--yes")
    until(lambda: ask(own_web, "POST", "/v1/messages", HEADERS, BODY).status == 200, 2, "the opening")


def test_a_lost_database_connection_is_made_again(
    own_web: WebProcess, provider: FakeProvider, second_provider: FakeProvider, session_database_url: str
) -> None:
    with psycopg.connect(session_database_url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    assert ended
    second_provider.requests.clear()
    assert ask(own_web, "POST", "/v1/messages", HEADERS, BODY).status == 200
    config(own_web, route_document(second_provider, "again"))

    def routed() -> bool:
        ask(own_web, "POST", "/v1/messages", HEADERS, BODY)
        return bool(second_provider.requests)

    until(routed, 3, "the route after the reconnect")


def test_without_a_database_the_gateway_says_so_and_heals(
    upstreams: dict[str, str], session_database_url: str, provider: FakeProvider, tmp_path: Path
) -> None:
    missing = session_database_url.replace("/e2e_", "/absent_e2e_")
    name = missing.rpartition("?")[0].rpartition("/")[2]
    with psycopg.connect(session_database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        with running_web(tmp_path, missing, **upstreams) as web:
            answer = ask(web, "POST", "/v1/messages", HEADERS, BODY)
            assert (answer.status, answer.header(b"retry-after")) == (503, b"1")
            ready = ask(web, "GET", "/readyz")
            assert ready.status == 503
            assert b"database cannot be read" in ready.body
            assert ask(web, "GET", "/livez").status == 200
            connection.execute(f"CREATE DATABASE {name}")
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=web.environment, check=True
            )
            until(lambda: ask(web, "GET", "/readyz").status == 200, 60, "readiness")
            assert ask(web, "POST", "/v1/messages", HEADERS, BODY).status == 200
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_unreachable_provider_is_502_with_provider_phase_and_seconds(own_web: WebProcess) -> None:
    port = free_port()
    config(
        own_web,
        f"providers:\n- {{name: gone, dialect: anthropic, address: 'http://127.0.0.1:{port}', keyless: true}}\n"
        "routes:\n- {match: to-nowhere, provider: gone}\n",
    )

    def unreachable() -> bytes:
        answer = ask(own_web, "POST", "/v1/messages?gone=1", HEADERS, b'{"model":"to-nowhere"}')
        return answer.body if answer.status == 502 else b""

    body = until(unreachable, 2, "the refusal")
    assert json.loads(body)["error"]["type"] == "api_error"
    for words in (b"provider gone", b"phase connect", b"connection refused", b" s:"):
        assert words in body
    exchange = find(own_web, "gone=1")
    assert exchange.end.outcome == "upstream_aborted"
    assert (exchange.end.attempts[0].phase, exchange.end.attempts[0].status) == ("connect", None)
