"""Streams: verbatim, at once, cut where they were cut, and ended when either side has gone."""

from __future__ import annotations

import base64
import collections
import time
from urllib.parse import quote

import pytest

from tests.e2e.processes import WebProcess, last_request, last_response, until
from tests.e2e.spooled import find
from tests.e2e.wire import Answer, Pairs, Wire, ask
from tests.upstream import FakeProvider
from tests.upstream.sse_variants import VARIANTS

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"anthropic-version", b"2023-06-01")]
BODY = b'{"model":"claude-x","stream":true,"messages":[]}'
TRANSCRIPT = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n'
    b': comment\n\nevent: ping\ndata: {"type":"ping"}\r\n\r\ndata: {"t":"\xc3\xa9\xf0\x9f\x98\x80"}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def scenario(text: str) -> Pairs:
    return [*HEADERS, (b"x-scenario", text.encode())]


def stream(web: WebProcess, text: str, query: str = "") -> Answer:
    return ask(web, "POST", f"/v1/messages?{query}", scenario(text), BODY)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_odd_streams_are_relayed_verbatim(web: WebProcess, provider: FakeProvider, name: str) -> None:
    answer = stream(web, name, f"variant={name}")
    assert answer.whole
    assert answer.body == last_response(provider).body
    assert find(web, f"variant={name}").response == answer.body


def test_a_stream_cut_at_every_byte_is_relayed_and_cut(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        for cut in range(len(TRANSCRIPT)):
            part = TRANSCRIPT[:cut]
            data = STREAM_HEAD + (b"%x\r\n%s\r\n" % (cut, part) if cut else b"")
            wire.request("POST", b"/v1/messages", scenario(f"raw;data={base64.b64encode(data).decode()}"), BODY)
            answer = wire.answer()
            assert (answer.body, answer.whole) == (part, False), cut
            wire.__exit__()
            wire.__init__(web)  # type: ignore[misc]


def test_a_stream_split_at_every_byte_is_relayed_whole(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        for cut in range(1, len(TRANSCRIPT)):
            first, second = TRANSCRIPT[:cut], TRANSCRIPT[cut:]
            framed = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(first), first, len(second), second)
            data = base64.b64encode(STREAM_HEAD + framed).decode()
            offset = len(STREAM_HEAD) + len(b"%x\r\n" % cut) + cut
            text = f"raw;data={data};cuts={offset};ms=1;end=stay"
            wire.request("POST", b"/v1/messages", scenario(text), BODY)
            answer = wire.answer()
            assert (answer.body, answer.whole) == (TRANSCRIPT, True), cut
            # The provider's scenario holds its connection; a new one of ours makes the gateway take a new one too.
            wire.__exit__()
            wire.__init__(web)  # type: ignore[misc]


BROKEN = ["cut_clean_close", "cut_rst", "truncated_content_length", "chunked_garbage"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_never_ends_cleanly(web: WebProcess, provider: FakeProvider, name: str) -> None:
    answer = stream(web, name, f"broken={name}")
    assert answer.status == 200
    assert not answer.whole
    assert answer.body == last_response(provider).body
    exchange = find(web, f"broken={name}")
    assert exchange.end.outcome == "upstream_aborted"
    assert exchange.end.error
    assert exchange.response == answer.body


def test_a_broken_answer_to_http_10_is_reset_not_ended(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", scenario("cut_clean_close"), BODY, version="1.0")
        answer = wire.head()
        assert answer.header(b"content-length") is None
        with pytest.raises(ConnectionResetError):
            collections.deque(iter(lambda: wire.socket.recv(65536), b""), maxlen=0)


@pytest.mark.parametrize("name", ["rst_before_headers", "close_before_headers"])
def test_a_provider_that_breaks_before_its_answer_is_502(web: WebProcess, provider: FakeProvider, name: str) -> None:
    answer = stream(web, name, f"early={name}")
    assert answer.status == 502
    assert b'"type":"api_error"' in answer.body
    assert b"anthropic" in answer.body
    assert b"phase headers" in answer.body
    assert find(web, f"early={name}").end.outcome == "upstream_aborted"


def test_events_are_passed_on_as_they_come(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        began = time.monotonic()
        wire.request("POST", b"/v1/messages", scenario("slow;ms=100;events=10"), BODY)
        wire.head()
        wire.line()
        first = time.monotonic() - began
        wire.buffer = b""
        until(lambda: not wire.fill() or wire.buffer.endswith(b"0\r\n\r\n"), 60)
        assert first < 0.5 < time.monotonic() - began


def test_the_head_is_passed_on_before_any_event(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", scenario("silence"), BODY)
        assert wire.head().status == 200


LEAVING = {"waiting for the head": "no_headers", "in silence": "silence", "in a stream": "endless;rate=100000"}


@pytest.mark.parametrize(("case", "text"), LEAVING.items(), ids=list(LEAVING))
def test_a_client_that_leaves_ends_the_request_within_a_second(
    web: WebProcess, provider: FakeProvider, case: str, text: str
) -> None:
    mark = quote(case)
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages?left=" + mark.encode(), scenario(text), BODY)
        seen = last_request(provider)
        if text != "no_headers":
            wire.head()
    left = time.monotonic()
    until(lambda: seen.aborted, 2, "the end of the provider's connection")
    assert (seen.aborted_at or 0) - left < 1
    assert find(web, f"left={mark}").end.outcome == "client_disconnected"


def test_a_client_that_leaves_during_its_upload_reaches_no_provider(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web) as wire:
        wire.request("POST", b"/v1/messages", [*HEADERS, (b"Content-Length", b"1000")])
        wire.send(b"{")
    ask(web, "GET", "/v1/models", HEADERS)
    assert [seen.method for seen in provider.requests] == ["GET"]


def test_a_slow_reader_slows_the_provider_down(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web, receive_buffer=4096) as wire:
        wire.request("POST", b"/v1/messages", scenario("endless;size=65536"), BODY)
        sent = last_request(provider)
        sizes = until_growth_stops(web)
        assert sizes[-1] - sizes[2] < 16_000_000
    until(lambda: sent.aborted, 3, "the end of the provider's connection")


def test_a_reader_that_pauses_is_told_from_a_silent_provider(web: WebProcess, provider: FakeProvider) -> None:
    with Wire(web, receive_buffer=4096) as wire:
        wire.request("POST", b"/v1/messages?paused=1", scenario("endless;size=65536"), BODY)
        sent = last_request(provider)
        until_growth_stops(web)
        wire.take(8_000_000)
    until(lambda: sent.aborted, 3, "the end of the provider's connection")
    assert max(length_us for _, length_us in find(web, "paused=1").held) > 300_000


def until_growth_stops(web: WebProcess) -> list[int]:
    """Until the gateway's memory stands still; its sizes, by the way."""
    sizes = [-1, 0]

    def stands_still() -> bool:
        sizes.append(memory_of(web.pid))
        time.sleep(0.1)
        return len(sizes) > 8 and max(sizes[-5:]) - min(sizes[-5:]) < 2_000_000

    until(stands_still, 60, "the stop of growth")
    return sizes


def memory_of(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_a_reader_that_stops_is_given_up(hasty_web: WebProcess, provider: FakeProvider) -> None:
    with Wire(hasty_web, receive_buffer=4096) as wire:
        wire.request("POST", b"/v1/messages?stalled=1", scenario("endless;size=65536"), BODY)
        seen = last_request(provider)
        until(lambda: seen.aborted, 60, "the end of the provider's connection")
    assert find(hasty_web, "stalled=1").end.outcome == "client_stalled"


def test_an_idle_stream_ends_with_the_dialects_error_event(hasty_web: WebProcess, provider: FakeProvider) -> None:
    answer = stream(hasty_web, "silence;after_events=2", "idle=1")
    assert answer.body.startswith(last_response(provider).body)
    rest = answer.body.removeprefix(last_response(provider).body)
    assert rest.startswith(b"event: error\ndata: ")
    assert b"timeout_error" in rest
    assert rest.endswith(b"\n\n")
    assert not answer.whole
    exchange = find(hasty_web, "idle=1")
    assert exchange.end.outcome == "upstream_stalled"
    assert exchange.response == last_response(provider).body


def test_an_error_event_never_lands_inside_another(hasty_web: WebProcess, provider: FakeProvider) -> None:
    half = b'event: content_block_delta\ndata: {"type":"content'
    data = base64.b64encode(STREAM_HEAD + b"%x\r\n%s\r\n" % (len(half), half)).decode()
    answer = stream(hasty_web, f"raw;data={data};end=stay")
    assert answer.body.startswith(half + b"\n\nevent: error\n")


def test_an_idle_stream_in_a_content_coding_is_only_cut(hasty_web: WebProcess, provider: FakeProvider) -> None:
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    data = base64.b64encode(head + b"3\r\nabc\r\n").decode()
    answer = stream(hasty_web, f"raw;data={data};end=stay")
    assert (answer.body, answer.whole) == (b"abc", False)


def test_pings_keep_a_stream_alive(hasty_web: WebProcess, provider: FakeProvider) -> None:
    answer = stream(hasty_web, "slow;ms=200;events=6")
    assert answer.whole
    assert answer.body == last_response(provider).body


def test_a_silent_provider_is_504_in_the_callers_dialect(hasty_web: WebProcess, provider: FakeProvider) -> None:
    answer = stream(hasty_web, "no_headers", "silent=1")
    assert answer.status == 504
    assert b'"type":"timeout_error"' in answer.body
    assert b"anthropic" in answer.body
    assert b"phase headers" in answer.body
    assert b"0.5 s" in answer.body
    exchange = find(hasty_web, "silent=1")
    assert exchange.end.outcome == "upstream_stalled"
    assert exchange.end.attempts[0].phase == "headers"
    chat = ask(hasty_web, "POST", "/v1/chat/completions", [(b"x-scenario", b"no_headers")], BODY)
    assert chat.status == 504
    assert chat.body.startswith(b'{"error":{"message":')
