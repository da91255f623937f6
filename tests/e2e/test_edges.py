"""What the gateway answers by itself: probes, telemetry, wrong paths, wrong methods, wrong requests."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import ADA_KEY
from tests.e2e.processes import WebProcess, until
from tests.e2e.spooled import recorded
from tests.e2e.wire import Pairs, Wire, ask
from tests.upstream import FakeProvider

PROBES = ["/livez", "/readyz", "/ready", "/health", "/healthz", "/openapi.json", "/protocol"]


@pytest.mark.parametrize("path", PROBES)
def test_probes_need_no_key_and_are_not_recorded(keyed_web: WebProcess, provider: FakeProvider, path: str) -> None:
    before = len(recorded(keyed_web))
    answer = ask(keyed_web, "GET", path)
    assert answer.status == 200
    json.loads(answer.body)
    assert len(recorded(keyed_web)) == before
    assert not provider.requests


def test_probe_fields(web: WebProcess, provider: FakeProvider) -> None:
    live = json.loads(ask(web, "GET", "/livez").body)
    assert set(live) == {"status", "in_flight", "draining", "timestamp"}
    health = json.loads(ask(web, "GET", "/health").body)
    assert (health["status"], health["backend_url"], health["models_cached"]) == ("healthy", provider.url, None)
    assert set(health["circuit_breaker"]) == {"is_open", "consecutive_failures"}
    ready = json.loads(ask(web, "GET", "/readyz").body)
    assert set(ready["parts"]) == {"server", "configuration", "connections", "memory", "history"}


def test_in_flight_counts_open_streams(web: WebProcess, provider: FakeProvider) -> None:
    def in_flight() -> int:
        return int(json.loads(ask(web, "GET", "/livez").body)["in_flight"])

    until(lambda: in_flight() == 0, 3, "an idle gateway")
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", [(b"x-scenario", b"silence")], b'{"stream":true}')
        wire.head()
        assert in_flight() == 1
    until(lambda: in_flight() == 0, 3, "the end of the stream")


def test_openapi_lists_every_gateway_route(web: WebProcess) -> None:
    document = json.loads(ask(web, "GET", "/openapi.json").body)
    listed = {(path, method) for path, methods in document["paths"].items() for method in methods}
    expected = {
        *((path, "get") for path in PROBES),
        ("/v1/messages", "post"),
        ("/v1/messages/count_tokens", "post"),
        ("/v1/chat/completions", "post"),
        ("/v1/responses", "post"),
        ("/v1/embeddings", "post"),
        ("/v1/models", "get"),
        ("/v1/metrics", "post"),
        ("/v1/logs", "post"),
        ("/v1/traces", "post"),
        ("/", "head"),
        ("/api/hello", "head"),
        ("/v1/{rest}", "get"),
        ("/v1/{rest}", "delete"),
    }
    assert expected <= listed


@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_greetings_are_answered_without_a_provider(keyed_web: WebProcess, provider: FakeProvider, path: str) -> None:
    answer = ask(keyed_web, "HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert not provider.requests


@pytest.mark.parametrize("kind", ["metrics", "logs", "traces"])
@pytest.mark.parametrize(
    ("content_type", "body"), [(b"application/json", b"{}"), (b"application/x-protobuf", b"")], ids=["json", "protobuf"]
)
def test_telemetry_is_taken_and_goes_nowhere(
    keyed_web: WebProcess, provider: FakeProvider, kind: str, content_type: bytes, body: bytes
) -> None:
    before = len(recorded(keyed_web))
    answer = ask(keyed_web, "POST", f"/v1/{kind}", [(b"Content-Type", content_type)], b"some telemetry")
    assert (answer.status, answer.header(b"content-type"), answer.body) == (200, content_type, body)
    assert not provider.requests
    assert len(recorded(keyed_web)) == before


WRONG_BASES = ["/messages", "/v1/v1/messages", "/anthropic/v1/messages", "/chat/completions", "/v1/v1/chat/completions"]


@pytest.mark.parametrize("path", WRONG_BASES)
def test_a_wrong_base_url_is_told_the_right_one(web: WebProcess, provider: FakeProvider, path: str) -> None:
    answer = ask(web, "POST", path, [], b"{}")
    assert answer.status == 404
    message = json.loads(answer.body)["error"]["message"]
    assert f"{web.url} (ANTHROPIC_BASE_URL)" in message
    assert f"{web.url}/v1." in message
    assert not provider.requests


METHODS = [
    ("GET", "/v1/messages", "anthropic"),
    ("DELETE", "/v1/responses", "openai"),
    ("GET", "/v1/logs", "anthropic"),
]


@pytest.mark.parametrize(("method", "path", "shape"), METHODS)
def test_a_wrong_method_is_405_in_the_callers_dialect(
    web: WebProcess, provider: FakeProvider, method: str, path: str, shape: str
) -> None:
    answer = ask(web, method, path)
    assert answer.status == 405
    assert answer.header(b"allow") == b"POST"
    body = json.loads(answer.body)
    assert ("type" in body) == (shape == "anthropic")
    assert not provider.requests


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(("path", "shape"), [("/v1/messages", "anthropic"), ("/v1/responses", "openai")])
def test_a_body_too_large_is_413_in_the_callers_dialect(
    hasty_web: WebProcess, provider: FakeProvider, framing: str, path: str, shape: str
) -> None:
    body = b"x" * 2_000_000
    headers: Pairs = [(b"Content-Type", b"application/json")]
    if framing == "chunked":
        headers.append((b"Transfer-Encoding", b"chunked"))
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with Wire(hasty_web) as wire:
        wire.request("POST", path.encode(), headers, body)
        answer = wire.answer()
    assert answer.status == 413
    error = json.loads(answer.body)["error"]
    assert error["type" if shape == "anthropic" else "code"] == "request_too_large"
    assert not provider.requests


def test_an_announced_body_too_large_is_refused_before_it_is_sent(hasty_web: WebProcess) -> None:
    with Wire(hasty_web) as wire:
        headers: Pairs = [(b"Content-Length", b"100000000"), (b"Expect", b"100-continue")]
        wire.request("POST", b"/v1/messages", headers)
        answer = wire.answer()
        assert (answer.status, answer.interim) == (413, [])
        assert wire.ended()


UPGRADE: Pairs = [
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"OpenAI-Beta", b"responses_websockets=2026-02-06"),
]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime?model=x", "/v1/messages"])
def test_a_websocket_upgrade_is_denied_with_426(web: WebProcess, provider: FakeProvider, path: str) -> None:
    with Wire(web) as wire:
        wire.request("GET", path.encode(), UPGRADE)
        answer = wire.answer("GET")
        assert answer.status == 426
        assert b"HTTP POST" in answer.body
        assert wire.ended()
    assert not provider.requests


def test_another_upgrade_is_ignored(web: WebProcess, provider: FakeProvider) -> None:
    headers: Pairs = [
        (b"Connection", b"Upgrade, HTTP2-Settings"),
        (b"Upgrade", b"h2c"),
        (b"HTTP2-Settings", b"AAMAAABk"),
    ]
    answer = ask(web, "POST", "/v1/messages", headers, b'{"model":"m"}')
    assert answer.status == 200
    assert provider.requests[-1].body == b'{"model":"m"}'


HOST = b"Host: gateway\r\n"
MALFORMED = {
    "no Host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /livez HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "no Host in HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    "an underscore in a name": (b"GET /livez HTTP/1.1\r\n" + HOST + b"x_api_key: 1\r\n\r\n", 400),
    "a blank before the colon": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X : 1\r\n\r\n", 400),
    "a folded header": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: 1\r\n  2\r\n\r\n", 400),
    "a NUL in a value": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: \0\r\n\r\n", 400),
    "two lengths": (b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "length and chunks": (
        b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "an unknown transfer coding": (b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: x\r\n\r\n", 400),
    "garbage in the chunks": (
        b"POST /v1/messages HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "a request line of 20 kB": (b"GET /livez?" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "70 kB of headers": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "many small headers": (b"GET /livez HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 12_000 + b"\r\n", 431),
    "60 kB of headers are taken": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 60_000 + b"\r\n\r\n", 200),
    "a target in absolute form": (b"GET http://gateway/livez HTTP/1.1\r\n" + HOST + b"\r\n", 200),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests_are_refused_before_the_application(
    web: WebProcess, provider: FakeProvider, data: bytes, status: int
) -> None:
    with Wire(web) as wire:
        wire.send(data)
        answer = wire.answer("GET")
        assert answer.status == status
        if status >= 400:
            assert json.loads(answer.body)["error"]["message"]
            assert wire.ended()
    assert not provider.requests


def test_headers_without_end_are_bounded(web: WebProcess) -> None:
    with Wire(web, timeout=5) as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nX: ")
        # More than all the buffers between us and the gateway hold.
        for _ in range(1000):
            try:
                wire.send(b"a" * 65_536)
            except ConnectionError:
                break
        else:
            pytest.fail("the gateway took 65 MB of a header")


def test_gateway_paths_carry_no_page_middleware(web: WebProcess) -> None:
    answer = ask(web, "GET", "/livez")
    names = {name for name, _ in answer.pairs}
    assert names == {b"content-type", b"content-length", b"cache-control", b"x-turnlog-request-id"}


def test_pages_are_served_beside_the_gateway(web: WebProcess) -> None:
    answer = ask(web, "GET", "/accounts/login/", [(b"Host", b"127.0.0.1")])
    assert answer.status == 200
    assert b"<form" in answer.body


def test_keys_open_and_probes_count_nothing_twice(keyed_web: WebProcess, provider: FakeProvider) -> None:
    before = len(recorded(keyed_web))
    ask(keyed_web, "POST", "/v1/messages", [(b"x-api-key", ADA_KEY.encode())], b"{}")
    until(lambda: len(recorded(keyed_web)) == before + 1, 3, "the record")


def test_connect_is_not_taken(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.send(b"CONNECT api.anthropic.com:443 HTTP/1.1\r\nHost: api.anthropic.com:443\r\n\r\n")
        assert wire.answer().status == 405


def test_an_upload_that_stops_is_given_up(hasty_web: WebProcess, provider: FakeProvider) -> None:
    with Wire(hasty_web, timeout=5) as wire:
        wire.request("POST", b"/v1/messages", [(b"Content-Length", b"1000")])
        wire.send(b"{")
        assert wire.ended()
        assert wire.buffer == b""
    assert not provider.requests
