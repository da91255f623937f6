"""More than fits: connections beyond the descriptors, requests beyond the memory. Each caller is told, in its form."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Pairs, Wire, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]
BODY = b'{"model":"m"}'
DESCRIPTORS = 260


@pytest.fixture(scope="module")
def narrow_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """A process of few file descriptors."""
    with running_web(tmp_path_factory.mktemp("narrow"), session_database_url, **upstreams) as web:
        resource.prlimit(web.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        yield web


def test_beyond_the_descriptors_a_request_is_told_503_and_when_they_are_free_it_is_served(
    narrow_web: WebProcess, provider: FakeProvider
) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(narrow_web)) for _ in range(DESCRIPTORS)]
        for number, wire in enumerate(wires):
            wire.request(
                "POST", b"/v1/messages?crowd=%d" % number, [*HEADERS, (b"x-scenario", b"slow;ms=200;events=9")], BODY
            )
        answers = [wire.answer() for wire in wires]
    assert {answer.status for answer in answers} == {200, 503}
    assert all(answer.whole for answer in answers)
    refused = [answer for answer in answers if answer.status == 503]
    for answer in refused:
        assert answer.header(b"retry-after") == b"1"
        assert answer.header(b"connection") == b"close"
        assert "as many connections as its system allows" in json.loads(answer.body)["error"]["message"]
    number = answers.index(refused[0])
    assert find(narrow_web, f"crowd={number}").end.outcome == "denied"
    assert ask(narrow_web, "POST", "/v1/messages", HEADERS, BODY).status == 200
    assert ask(narrow_web, "GET", "/readyz").status == 200


def test_clients_that_say_nothing_make_way_for_those_that_ask(narrow_web: WebProcess, provider: FakeProvider) -> None:
    with ExitStack() as stack:
        for _ in range(DESCRIPTORS):
            stack.enter_context(Wire(narrow_web))
        until(lambda: "the next ones wait" in narrow_web.output, 60, "the door to be shut")
        until(
            lambda: ask(narrow_web, "POST", "/v1/messages", HEADERS, BODY).status == 200, 40, "an answer, asked again"
        )


@pytest.fixture(scope="module")
def full_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """A process that has more than four fifths of its memory in use."""
    environment = upstreams | {"TURNLOG_MAX_MEMORY_BYTES": "1000000"}
    with running_web(tmp_path_factory.mktemp("full"), session_database_url, **environment) as web:
        yield web


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/messages", "api_error"), ("/v1/chat/completions", "server_error"), ("/v1/responses", "server_error")],
)
def test_without_memory_each_caller_is_told_in_its_form(
    full_web: WebProcess, provider: FakeProvider, path: str, kind: str
) -> None:
    answer = ask(full_web, "POST", path, HEADERS, BODY)
    assert (answer.status, answer.header(b"retry-after")) == (503, b"1")
    error = json.loads(answer.body)["error"]
    assert error["type"] == kind
    assert "no memory left" in error["message"]
    assert not provider.requests


@pytest.mark.parametrize("close", [False, True], ids=["kept", "closed"])
def test_the_refusal_of_a_large_body_reaches_who_still_sends_it(full_web: WebProcess, close: bool) -> None:
    headers = [*HEADERS, (b"connection", b"close")] if close else HEADERS
    answer = ask(full_web, "POST", "/v1/messages", headers, b" " * 20_000_000)
    assert answer.status == 503
    assert answer.whole


def test_without_memory_the_process_is_not_ready_and_says_why(full_web: WebProcess) -> None:
    ready = ask(full_web, "GET", "/readyz")
    assert ready.status == 503
    assert "TURNLOG_MAX_MEMORY_BYTES" in json.loads(ready.body)["parts"]["memory"]
