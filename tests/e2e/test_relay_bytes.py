"""Same dialect in and out: what the provider gets and what the client gets, to the byte."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os

import pytest
import zstandard

from tests.e2e.processes import WebProcess, last_request, last_response
from tests.e2e.spooled import find
from tests.e2e.wire import Answer, Pairs, Wire, ask
from tests.upstream import FakeProvider

KEY: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"anthropic-version", b"2023-06-01")]
JSON: Pairs = [*KEY, (b"Content-Type", b"application/json")]

BODIES = {
    "compact JSON": b'{"model":"m","messages":[]}',
    "odd spacing": b' {\n\t"model" :  "m" ,"messages":[ ] }\r\n',
    "a key said twice": b'{"model":"a","model":"b","stream":false,"stream":false}',
    "numbers no float holds": b'{"model":"m","x":1.0000000000000000001,"y":123456789012345678901234567890}',
    "escapes and raw UTF-8": '{"model":"m","t":"\\u00e9\\ud83d\\ude00 é 😀"}'.encode(),
    "a lone surrogate": b'{"model":"m","t":"\\ud800"}',
    "invalid UTF-8 inside a string": b'{"model":"m","t":"\xff\xfe"}',
    "a NUL": b'{"model":"m","t":"a\\u0000b"}\0',
    "no JSON at all": b"\x00\x01\x02 not json",
    "cut short": b'{"model":"m","messages":[',
    "deeply nested": b'{"model":"m","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a byte order mark": b'\xef\xbb\xbf{"model":"m"}',
    "one byte": b"{",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_request_body_arrives_as_it_was_sent(web: WebProcess, provider: FakeProvider, body: bytes) -> None:
    answer = ask(web, "POST", "/v1/messages", JSON, body)
    assert answer.whole
    assert last_request(provider).body == body


def test_request_line_and_headers_arrive_in_order_with_duplicates(web: WebProcess, provider: FakeProvider) -> None:
    sent: Pairs = [
        (b"X-First", b"1"),
        (b"Authorization", b"Bearer sk-ant-oat01-t"),
        (b"anthropic-beta", b"a-1,b-2"),
        (b"X-Twice", b"one"),
        (b"x-api-key", b"sk-ant-k"),
        (b"X-Twice", b"two, three"),
        (b"X-Odd", b"tab\there \xe9\xff end"),
        (b"X-Empty", b""),
        (b"anthropic-unheard-of", b"yes"),
        (b"Cookie", b"a=b"),
        (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
        (b"User-Agent", b"claude-cli/2.1.329 (external, cli)"),
        (b"Content-Length", b"2"),
    ]
    target = "/v1/messages?beta=true&x=%20%2F&&empty=&beta=again;a"
    ask(web, "POST", target, sent, b"{}")
    seen = last_request(provider)
    assert seen.target == target.encode()
    host = provider.url.removeprefix("http://").encode()
    assert [(name.lower(), value) for name, value in seen.headers] == [
        (b"host", host),
        *((name.lower(), value) for name, value in sent),
    ]


@pytest.mark.parametrize(
    "target", ["/v1/messages?", "/v1/m%65ssages?a=b", "/v1/files/a%2Fb%3F?limit=1", "/v1/files//x/../y"]
)
def test_target_is_not_normalised(web: WebProcess, provider: FakeProvider, target: str) -> None:
    ask(web, "POST", target, KEY, b"{}")
    assert last_request(provider).target == target.encode()


def test_hop_by_hop_headers_stay_on_their_hop(web: WebProcess, provider: FakeProvider) -> None:
    sent: Pairs = [
        (b"Connection", b"keep-alive, X-Mine, X-Other"),
        (b"Keep-Alive", b"timeout=5"),
        (b"X-Mine", b"1"),
        (b"x-other", b"2"),
        (b"TE", b"trailers"),
        (b"Proxy-Authorization", b"Basic abc"),
        (b"Proxy-Connection", b"keep-alive"),
        (b"Upgrade", b"h2c"),
        (b"X-Kept", b"3"),
        (b"x-turnlog-key", b"tl_ours"),
    ]
    ask(web, "POST", "/v1/messages", sent, b"{}")
    names = [name.lower() for name, _ in last_request(provider).headers]
    assert names == [b"host", b"x-kept", b"content-length"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_every_method_is_relayed(web: WebProcess, provider: FakeProvider, method: str) -> None:
    body = b'{"x":1}' if method in ("POST", "PUT", "PATCH") else b""
    answer = ask(web, method, "/v1/files/file_1?a=b", [*KEY, (b"x-scenario", b"echo")], body)
    seen = last_request(provider)
    assert (seen.method, seen.target, seen.body) == (method, b"/v1/files/file_1?a=b", body)
    assert answer.whole
    assert answer.status == 200


def test_a_request_without_a_body_gets_no_length(web: WebProcess, provider: FakeProvider) -> None:
    ask(web, "GET", "/v1/models?limit=1000", KEY)
    assert last_request(provider).header("content-length") is None
    ask(web, "DELETE", "/v1/files/file_1", [*KEY, (b"Content-Length", b"0")])
    assert last_request(provider).header("content-length") == b"0"


def relayed(provider: FakeProvider, answer: Answer) -> None:
    """The client got what the provider sent, but for what belongs to one hop."""
    sent = last_response(provider)
    hop = {b"connection", b"keep-alive", b"transfer-encoding"}
    assert answer.status == sent.status
    *passed, (ours, _) = [pair for pair in answer.pairs if pair[0] not in hop]
    assert passed == [(name.lower(), value) for name, value in sent.headers if name.lower() not in hop]
    assert ours == b"x-turnlog-request-id"
    assert answer.body == sent.body


ANSWERS = {
    "JSON": ("text", b'{"model":"m"}', 200),
    "a stream": ("text", b'{"model":"m","stream":true}', 200),
    "tools in a stream": ("parallel_tools", b'{"model":"m","stream":true}', 200),
    "thinking in a stream": ("thinking", b'{"model":"m","stream":true}', 200),
    "gzip": ("gzip", b'{"model":"m"}', 200),
    "a stream in br": ("br", b'{"model":"m","stream":true}', 200),
    "a stream in zstd": ("zstd", b'{"model":"m","stream":true}', 200),
    "deflate": ("deflate", b'{"model":"m"}', 200),
    "529 with all its headers": ("error_529;retry_after=3;should_retry=true", b"{}", 529),
    "429": ("error_429", b"{}", 429),
    "400 with wording clients read": (
        "error;status=400;text=prompt%20is%20too%20long%3A%202%20tokens%20%3E%201%20maximum",
        b"{}",
        400,
    ),
    "401": ("error_401", b"{}", 401),
    "404": ("error_404", b"{}", 404),
    "413": ("error_413", b"{}", 413),
    "HTML 503": ("html_503", b"{}", 503),
    "HTML 200": ("html_200", b"{}", 200),
    "a redirect is not followed": ("redirect", b"{}", 307),
    "an empty 200": ("empty_200", b"{}", 200),
    "an empty stream": ("empty_stream", b'{"stream":true}', 200),
    "HTTP/1.0 without a length": ("http10_no_length", b'{"stream":true}', 200),
    "early hints before the answer": ("early_hints", b"{}", 200),
    "an error event at once": ("error_event_first", b'{"stream":true}', 200),
}


@pytest.mark.parametrize(("scenario", "body", "status"), ANSWERS.values(), ids=ANSWERS)
def test_answer_arrives_as_it_was_sent(
    web: WebProcess, provider: FakeProvider, scenario: str, body: bytes, status: int
) -> None:
    answer = ask(web, "POST", "/v1/messages", [*JSON, (b"x-scenario", scenario.encode())], body)
    assert answer.status == status
    assert answer.whole
    relayed(provider, answer)


def test_no_content_has_no_body_and_keeps_the_connection(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.request("DELETE", b"/v1/files/f", [*KEY, (b"x-scenario", b"no_content")])
        answer = wire.answer("DELETE")
        assert (answer.status, answer.body, answer.header(b"transfer-encoding")) == (204, b"", None)
        wire.request("GET", b"/v1/models", KEY)
        assert wire.answer("GET").status == 200


def raw_scenario(head: bytes) -> Pairs:
    return [*KEY, (b"x-scenario", b"raw;end=stay;data=" + base64.b64encode(head))]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
def test_a_length_without_a_body_is_kept(web: WebProcess, provider: FakeProvider, method: str, status: int) -> None:
    head = b"HTTP/1.1 %d X\r\nContent-Length: 418\r\nETag: x\r\n\r\n" % status
    with Wire(web) as wire:
        wire.request(method, b"/v1/models", raw_scenario(head))
        answer = wire.answer(method)
        assert (answer.status, answer.header(b"content-length")) == (status, b"418")
        wire.request("GET", b"/v1/models", KEY)
        assert wire.answer("GET").status == 200


def test_nothing_but_our_request_id_is_added_to_a_relayed_answer(web: WebProcess, provider: FakeProvider) -> None:
    answer = ask(web, "POST", "/v1/messages", [*JSON, (b"x-scenario", b"empty_200")], b"{}")
    sent = {name.lower() for name, _ in last_response(provider).headers}
    assert {name for name, _ in answer.pairs} - {b"transfer-encoding"} <= sent | {b"x-turnlog-request-id"}


@pytest.mark.parametrize("size", [1, 65_536, 32 * 1024 * 1024])
def test_large_bodies_arrive_whole(web: WebProcess, provider: FakeProvider, size: int) -> None:
    body = b'{"model":"m","x":"' + os.urandom(size // 2).hex().encode() + b'"}'
    answer = ask(web, "POST", "/v1/messages", JSON, body)
    assert answer.status == 200
    seen = last_request(provider)
    assert seen.body_sha256 == hashlib.sha256(body).hexdigest()
    assert seen.header("content-length") == str(len(body)).encode()


@pytest.mark.parametrize("cuts", [[5], [1, 1, 1, 20], list(range(1, 27))], ids=str)
def test_chunked_requests_arrive_with_a_length(web: WebProcess, provider: FakeProvider, cuts: list[int]) -> None:
    body = b'{"model":"m","messages":[]}'
    framed, rest = b"", body
    for size in cuts:
        part, rest = rest[:size], rest[size:]
        framed += b"%x\r\n%s\r\n" % (len(part), part) if part else b""
    framed += (b"%x\r\n%s\r\n" % (len(rest), rest) if rest else b"") + b"0\r\nx-api-key: from-a-trailer\r\n\r\n"
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", [*JSON, (b"Transfer-Encoding", b"chunked")], framed)
        assert wire.answer().status == 200
    seen = last_request(provider)
    assert seen.body == body
    assert not seen.was_chunked
    assert seen.header("content-length") == b"%d" % len(body)
    assert seen.header("x-api-key") == b"sk-ant-mine"


def test_expect_100_continue_is_answered_before_the_body(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", [*JSON, (b"Expect", b"100-continue"), (b"Content-Length", b"13")])
        assert wire.line() == b"HTTP/1.1 100 Continue"
        assert wire.line() == b""
        wire.send(b'{"model":"m"}')
        assert wire.answer().status == 200
    assert last_request(provider).body == b'{"model":"m"}'
    assert last_request(provider).header("expect") is None


def test_encoded_request_bodies_are_relayed_as_they_are(web: WebProcess, provider: FakeProvider) -> None:
    clear = b'{"model":"m","messages":[]}'
    for coding, body in (("gzip", gzip.compress(clear)), ("zstd", zstandard.compress(clear))):
        ask(web, "POST", f"/v1/messages?{coding}", [*JSON, (b"Content-Encoding", coding.encode())], body)
        seen = last_request(provider)
        assert seen.body == body
        assert seen.header("content-encoding") == coding.encode()
        assert find(web, coding).body == body


def test_http_10_clients_get_no_chunks(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", JSON, b'{"stream":true}', version="1.0")
        answer = wire.answer()
    assert answer.header(b"transfer-encoding") is None
    assert answer.body == last_response(provider).body


def test_pipelined_requests_are_answered_in_turn(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        for number in (b"1", b"2", b"3"):
            wire.request("POST", b"/v1/messages?" + number, JSON, b'{"model":"m","n":' + number + b"}")
        bodies = [wire.answer().body for _ in range(3)]
    last_response(provider)
    assert bodies == [sent.body for sent in provider.responses]
    assert [seen.target[-1:] for seen in provider.requests] == [b"1", b"2", b"3"]


def test_the_record_holds_the_exact_bytes(web: WebProcess, provider: FakeProvider) -> None:
    body = b' {"model" : "claude-x", "stream":true}'
    answer = ask(web, "POST", "/v1/messages?mark=exact", JSON, body)
    exchange = find(web, "mark=exact")
    assert exchange.body == body
    assert exchange.response == answer.body == last_response(provider).body
    assert exchange.end.outcome == "completed"
    admission = exchange.admission
    assert (admission.provider, admission.requested_model, admission.is_streaming) == ("anthropic", "claude-x", True)
    assert dict(admission.headers)[b"x-api-key"].startswith(b"fp:")
    (attempt,) = exchange.end.attempts
    assert (attempt.status, attempt.error) == (200, None)
    assert attempt.at_us <= (attempt.headers_us or 0) <= exchange.end.at_us
