"""Stopping: told first, then drained, then cut; nothing in flight is forgotten."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Pairs, Wire, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]
BODY = b'{"model":"m","stream":true}'


def opened(web: WebProcess, scenario: bytes, query: bytes) -> Wire:
    wire = Wire(web)
    wire.request("POST", b"/v1/messages?" + query, [*HEADERS, (b"x-scenario", scenario)], BODY)
    return wire


def test_draining_serves_on_then_lets_streams_finish(
    session_database_url: str, upstreams: dict[str, str], provider: FakeProvider, tmp_path: Path
) -> None:
    environment = upstreams | {"TURNLOG_DRAIN_GRACE": "1"}
    with running_web(tmp_path, session_database_url, **environment) as web, ExitStack() as stack:
        wire = stack.enter_context(opened(web, b"slow;ms=300;events=12", b"drained=1"))
        head = wire.head()
        web.signal(signal.SIGTERM)
        until(lambda: ask(web, "GET", "/readyz").status == 503, 1, "the notice")
        health = ask(web, "GET", "/health")
        assert (health.status, json.loads(health.body)["status"]) == (503, "draining")
        assert json.loads(ask(web, "GET", "/livez").body)["draining"] is True
        assert ask(web, "POST", "/v1/messages", HEADERS, b'{"model":"m"}').status == 200
        until(lambda: not accepts(web), 3, "the closing of the door")
        wire.body(head)
        assert head.whole
        until(lambda: len(provider.responses) == 2, what="the provider's notes")
        assert head.body == provider.responses[-1].body
        assert web.wait() == 0
        assert "running, cut in" in web.output
        assert find(web, "drained=1").end.outcome == "completed"


def test_no_request_is_lost_to_the_closing_of_a_connection(
    session_database_url: str, upstreams: dict[str, str], provider: FakeProvider, tmp_path: Path
) -> None:
    environment = upstreams | {"TURNLOG_DRAIN_GRACE": "1"}
    with running_web(tmp_path, session_database_url, **environment) as web, ExitStack() as stack:
        kept = stack.enter_context(Wire(web))
        kept.request("POST", b"/v1/messages", HEADERS, BODY)
        assert kept.answer().header(b"connection") is None
        web.signal(signal.SIGTERM)
        until(lambda: ask(web, "GET", "/readyz").status == 503, 1, "the notice")
        kept.request("POST", b"/v1/messages", HEADERS, BODY)
        last = kept.answer()
        assert last.whole
        assert last.header(b"connection") == b"close"
        assert kept.ended()
        new = [stack.enter_context(Wire(web)) for _ in range(20)]
        until(lambda: not accepts(web), 3, "the closing of the door")
        for wire in new:
            wire.request("POST", b"/v1/messages", HEADERS, BODY)
        assert [wire.answer().whole for wire in new] == [True] * 20
        assert web.wait() == 0


def test_an_idle_process_ends_at_once_though_clients_keep_connections(
    session_database_url: str, upstreams: dict[str, str], provider: FakeProvider, tmp_path: Path
) -> None:
    with running_web(tmp_path, session_database_url, **upstreams) as web, Wire(web) as wire:
        wire.request("POST", b"/v1/messages", HEADERS, BODY)
        assert wire.answer().whole
        began = time.monotonic()
        web.signal(signal.SIGTERM)
        assert wire.ended()
        assert web.wait() == 0
        assert time.monotonic() - began < 5


def accepts(web: WebProcess) -> bool:
    try:
        Wire(web, timeout=1).socket.close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("seconds", "signals"),
    [("0.5", [signal.SIGTERM]), ("600", [signal.SIGTERM, signal.SIGINT])],
    ids=["late", "hurried"],
)
def test_what_does_not_finish_is_cut_and_recorded(
    session_database_url: str,
    upstreams: dict[str, str],
    provider: FakeProvider,
    tmp_path: Path,
    seconds: str,
    signals: list[int],
) -> None:
    environment = upstreams | {"TURNLOG_DRAIN_SECONDS": seconds}
    with running_web(tmp_path, session_database_url, **environment) as web, ExitStack() as stack:
        streaming = stack.enter_context(opened(web, b"slow;ms=100;events=1000", b"cut=stream"))
        head = streaming.head()
        until(lambda: streaming.buffer or streaming.fill(), what="an event")
        waiting = stack.enter_context(opened(web, b"no_headers", b"cut=waiting"))
        until(lambda: len(provider.requests) == 2, what="both requests at the provider")
        began = time.monotonic()
        for number in signals:
            web.signal(number)
        streaming.body(head)
        assert not head.whole
        assert head.body
        assert waiting.ended()
        assert web.wait() == 0
        assert time.monotonic() - began < 5
        assert find(web, "cut=stream").end.outcome == "interrupted_drain"
        assert find(web, "cut=stream").response
        assert find(web, "cut=waiting").end.outcome == "interrupted_drain"


def test_two_processes_share_a_port(
    session_database_url: str, upstreams: dict[str, str], provider: FakeProvider, tmp_path: Path
) -> None:
    environment = upstreams | {"TURNLOG_WEB_PROCESSES": "2"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with running_web(tmp_path / "a", session_database_url, **environment) as first:
        second = WebProcess(tmp_path / "b", session_database_url, **environment)
        second.start("--port", str(first.port))
        try:
            assert second.port == first.port
            first.signal(signal.SIGTERM)
            assert first.wait() == 0
            assert ask(second, "GET", "/livez").status == 200
        finally:
            second.stop()
