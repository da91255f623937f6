"""A provider that speaks HTTP/2 behind a running gateway: the client speaks HTTP/1.1 and gets the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from h2.errors import ErrorCodes

from tests.e2e.configured import apply_and_wait
from tests.e2e.processes import ProviderThread, WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Wire, ask
from tests.gateway.upstream.certificates import make_certificate, server_side
from tests.upstream.http2 import EVENTS, Asked, Http2Provider, stream

BODY = json.dumps({"model": "spoken", "messages": [], "max_tokens": 1, "stream": True}).encode()
HEADERS = [(b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01"), (b"X-Api-Key", b"sk-own")]
DOCUMENT = """
providers:
  - {{name: spoken, dialect: anthropic, address: "{url}", ca_file: "{ca}", keyless: true, http2: true}}
routes: [{{match: spoken, provider: spoken}}]
"""


class Behind(NamedTuple):
    web: WebProcess
    provider: Http2Provider


@pytest.fixture(scope="module")
def behind(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    pem = make_certificate(tmp_path_factory.mktemp("certificate"))
    with (
        ProviderThread(Http2Provider(server_side(pem))) as provider,
        running_web(tmp_path_factory.mktemp("http2"), session_database_url, **upstreams) as web,
    ):
        apply_and_wait(web, DOCUMENT.format(url=provider.url, ca=pem))
        yield Behind(web, provider)
        apply_and_wait(web, "providers: []\nroutes: []\n")


def test_a_stream_is_framed_anew_and_recorded(behind: Behind) -> None:
    behind.provider.script = stream
    answer = ask(behind.web, "POST", "/v1/messages?spoken=1", HEADERS, BODY)
    assert (answer.status, answer.body, answer.whole) == (200, b"".join(EVENTS), True)
    assert answer.header(b"transfer-encoding") == b"chunked"
    assert answer.header(b"content-type") == b"text/event-stream"
    assert behind.provider.asked[-1].body == BODY
    exchange = find(behind.web, "spoken=1")
    assert (exchange.end.outcome, exchange.response) == ("completed", answer.body)


def test_requests_of_many_clients_share_what_there_is(behind: Behind) -> None:
    behind.provider.script = stream
    before = behind.provider.connections
    for number in range(20):
        assert ask(behind.web, "POST", f"/v1/messages?many={number}", HEADERS, BODY).whole
    assert behind.provider.connections - before <= 1


def test_a_client_that_leaves_ends_its_stream_at_the_provider(behind: Behind) -> None:
    async def endless(asked: Asked) -> None:
        asked.head()
        await asked.send(EVENTS[0])

    behind.provider.script = endless
    with Wire(behind.web) as wire:
        wire.request("POST", b"/v1/messages?left=2", HEADERS, BODY)
        assert wire.head().status == 200
    until(lambda: behind.provider.resets, 10, "the stream is reset")
    assert behind.provider.resets[-1].code == ErrorCodes.CANCEL
    assert find(behind.web, "left=2").end.outcome == "client_disconnected"


def test_a_stream_the_provider_resets_is_cut(behind: Behind) -> None:
    async def broken(asked: Asked) -> None:
        await asked.whole.wait()
        asked.head()
        await asked.send(EVENTS[0])
        asked.reset(ErrorCodes.INTERNAL_ERROR)

    behind.provider.script = broken
    answer = ask(behind.web, "POST", "/v1/messages?cut=2", HEADERS, BODY)
    assert (answer.whole, answer.body) == (False, EVENTS[0])
    exchange = find(behind.web, "cut=2")
    assert (exchange.end.outcome, exchange.response) == ("upstream_aborted", EVENTS[0])


def test_a_reset_before_the_answer_is_502(behind: Behind) -> None:
    async def broken(asked: Asked) -> None:
        asked.reset(ErrorCodes.INTERNAL_ERROR)

    behind.provider.script = broken
    answer = ask(behind.web, "POST", "/v1/messages?reset=2", HEADERS, BODY)
    assert answer.status == 502
    assert b"INTERNAL_ERROR" in answer.body
