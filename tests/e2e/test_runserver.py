"""`manage.py runserver` (daphne, which knows no lifespan) serves the pages and relays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import free_port
from tests.e2e.processes import WebProcess, last_response, until
from tests.e2e.spooled import find
from tests.e2e.wire import Pairs, Wire, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]
BODY = b'{"model":"m","stream":true}'


@pytest.fixture(scope="module")
def runserver(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    server = WebProcess(tmp_path_factory.mktemp("runserver"), session_database_url, **upstreams)
    try:
        server.start("--noreload", f"127.0.0.1:{free_port()}", command="runserver")
        yield server
    finally:
        server.stop()


def test_pages_are_served(runserver: WebProcess) -> None:
    answer = ask(runserver, "GET", "/accounts/login/")
    assert answer.status == 200
    assert b"<form" in answer.body


def test_a_stream_is_relayed_and_recorded(runserver: WebProcess, provider: FakeProvider) -> None:
    answer = ask(runserver, "POST", "/v1/messages?daphne=1", HEADERS, BODY)
    assert (answer.status, answer.whole) == (200, True)
    assert answer.body == last_response(provider).body
    assert find(runserver, "daphne=1").end.outcome == "completed"


def test_a_client_that_leaves_ends_the_request(runserver: WebProcess, provider: FakeProvider) -> None:
    with Wire(runserver) as wire:
        wire.request("POST", b"/v1/messages?left=1", [*HEADERS, (b"x-scenario", b"slow;ms=50;events=500")], BODY)
        wire.head()
        seen = provider.requests[-1]
    until(lambda: seen.aborted, 2, "the end at the provider")
    assert find(runserver, "left=1").end.outcome == "client_disconnected"


def test_a_websocket_on_a_gateway_path_is_denied_with_426(runserver: WebProcess) -> None:
    upgrade: Pairs = [
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    answer = ask(runserver, "GET", "/v1/responses", upgrade)
    assert answer.status == 426
    assert answer.header(b"x-turnlog-request-id")
    assert b"HTTP POST" in answer.body
    assert ask(runserver, "GET", "/livez").status == 200
