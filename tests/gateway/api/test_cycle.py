"""A request's body between the connection and the application, the answer's way out, and the client that leaves."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from gateway.api.cycle import BODY_FOLLOWS, HELD_BYTES, JOIN_BOUND, Cycle


class Flow:
    write_paused = False

    def __init__(self) -> None:
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Transport:
    def __init__(self) -> None:
        self.writes: list[bytes] = []

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.writes += parts

    def is_closing(self) -> bool:
        return False


@pytest.fixture
def flow() -> Flow:
    return Flow()


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def cycle(flow: Flow, transport: Transport) -> Cycle:
    return make_cycle(flow, transport)


def make_cycle(flow: Flow, transport: Transport, **changed: Any) -> Cycle:
    silent = logging.getLogger("nobody")
    arguments: dict[str, Any] = {
        "scope": {"method": "POST", "http_version": "1.1"}, "transport": transport, "flow": flow, "logger": silent,
        "access_logger": silent, "access_log": False, "default_headers": [], "message_event": asyncio.Event(),
        "expect_100_continue": False, "keep_alive": True, "on_response": lambda: None,
    }  # fmt: skip
    return Cycle(**arguments | changed)


def end_body(cycle: Cycle) -> None:
    cycle.more_body = False
    cycle.message_event.set()


async def test_pieces_are_handed_over_once_and_in_order(cycle: Cycle) -> None:
    cycle.take_in(b"one")
    cycle.take_in(b"two")
    assert await cycle.receive() == {"type": "http.request", "body": b"onetwo", "more_body": True}
    cycle.take_in(b"three")
    end_body(cycle)
    assert await cycle.receive() == {"type": "http.request", "body": b"three", "more_body": False}


async def test_a_body_that_nobody_takes_stops_the_reading_and_taking_it_goes_on(cycle: Cycle, flow: Flow) -> None:
    cycle.take_in(bytes(HELD_BYTES))
    assert not flow.paused
    cycle.take_in(b"!")
    assert flow.paused
    assert await cycle.arrived() == [bytes(HELD_BYTES), b"!"]
    assert not flow.paused, "it was asked for"
    end_body(cycle)
    assert await cycle.arrived() == []


async def test_a_body_is_whole_only_when_nothing_of_it_is_still_to_come(flow: Flow, transport: Transport) -> None:
    cycle = make_cycle(flow, transport)
    assert not cycle.has_whole_body
    end_body(cycle)
    assert cycle.has_whole_body
    cycle.lost()
    assert not cycle.has_whole_body
    asked = make_cycle(flow, transport, expect_100_continue=True)
    end_body(asked)
    assert not asked.has_whole_body, "the client waits for leave to send it"
    await asked.arrived()
    assert (transport.written, asked.has_whole_body) == (b"HTTP/1.1 100 Continue\r\n\r\n", True)


async def test_who_watches_is_told_once_that_the_client_has_left(cycle: Cycle) -> None:
    told: list[str] = []
    cycle.on_lost = lambda: told.append("left")
    cycle.lost()
    cycle.lost()
    assert told == ["left"]
    assert await cycle.receive() == {"type": "http.disconnect"}
    assert await cycle.arrived() is None


async def test_more_of_a_body_is_written_at_once_only_where_nothing_stands_in_the_way(
    flow: Flow, transport: Transport
) -> None:
    cycle = make_cycle(flow, transport)
    assert not cycle.write_more(b"early"), "the head was not sent yet"
    await cycle.send({"type": "http.response.start", "status": 200, "headers": []})
    transport.writes.clear()
    assert cycle.write_more(b"one")
    flow.write_paused = True
    assert not cycle.write_more(b"two"), "the client takes nothing"
    flow.write_paused = False
    cycle.lost()
    assert not cycle.write_more(b"three")
    assert transport.written == b"3\r\none\r\n"


async def test_nothing_is_written_at_once_where_there_is_no_body(flow: Flow, transport: Transport) -> None:
    cycle = make_cycle(flow, transport, scope={"method": "HEAD", "http_version": "1.1"})
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    assert not cycle.write_more(b"one")


async def test_a_head_waits_for_the_bytes_that_follow_it_and_goes_with_them(flow: Flow, transport: Transport) -> None:
    cycle = make_cycle(flow, transport)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [], BODY_FOLLOWS: True})
    assert transport.writes == []
    await cycle.send({"type": "http.response.body", "body": b"one", "more_body": True})
    await cycle.send({"type": "http.response.body", "body": b"two"})
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert transport.writes == [head + b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"]


async def test_large_bytes_are_written_with_their_frame_and_without_a_copy(flow: Flow, transport: Transport) -> None:
    cycle = make_cycle(flow, transport)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": []})
    body = bytes(JOIN_BOUND)
    await cycle.send({"type": "http.response.body", "body": body, "more_body": True})
    assert transport.writes[1:] == [b"4000\r\n", body, b"\r\n"]
    assert transport.writes[2] is body
