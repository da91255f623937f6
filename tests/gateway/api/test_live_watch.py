"""What is read of answers for the live pages, and how notices leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.live_teller import MOST_AT_ONCE, MOST_WAITING, LiveTeller
from gateway.api.live_watch import (
    AROUND_A_DELTA,
    BYTES_A_TOKEN,
    JOINED_BYTES,
    STARTS,
    LiveWatch,
    find_starts,
    news_of,
    starts_in,
)
from gateway.metrics.live_channel import LIVE_CHANNEL
from gateway.policy.redaction import Redactor
from gateway.recording.delta import Delta
from gateway.recording.exchange import Exchange
from gateway.recording.recorder import Recorder
from gateway.recording.records import ResponseHead
from tests.gateway.recording.recording import admission

PATIENCE = 20.0

PIECES = st.sampled_from([*STARTS, b"content_block", b"_start", b'"tool_', b'calls"', b"output_item", b".added", b"x"])
CHUNKS = st.lists(st.lists(PIECES, max_size=4).map(b"".join), max_size=12)


@given(CHUNKS)
def test_a_start_is_found_in_the_chunk_that_holds_it_whole(chunks: list[bytes]) -> None:
    assert find_starts(chunks) == {at for at, chunk in enumerate(chunks) if starts_in(chunk)}


def test_large_chunks_are_searched_where_they_lie() -> None:
    assert find_starts([b"x" * JOINED_BYTES, b"..content_block_start..", b""]) == {1}


class Answer:
    """Whose delta it is."""

    lost: str | None = None
    withheld = None

    def __init__(self, name: str) -> None:
        self.id = name.encode()


def delta(owner: Answer, *chunks: bytes) -> Delta:
    made = Delta(owner)
    made.chunks = list(chunks)
    return made


def test_each_start_is_given_with_the_answer_it_belongs_to() -> None:
    first, second, third = (Answer(name) for name in ("first", "second", "third"))
    start, other = b"event: content_block_start\n", b'{"tool_calls":[]}'
    deltas = [delta(first, b"a", start, b"b"), delta(second, b"c"), delta(third, other)]
    deltas[1].head = ResponseHead(5, 200, [])
    assert list(news_of(deltas)) == [(second, None), (first, start), (third, other)]
    assert list(news_of([delta(first), delta(second, b"c")])) == []


class Said(NamedTuple):
    what: str
    chunk: bytes
    activity: str


SAID = [
    Said(
        "a tool of Messages",
        b'event: content_block_start\ndata: {"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}}',
        "tool:Bash",
    ),
    Said("thinking of Messages", b'content_block_start {"type":"thinking","thinking":""}', "thinking"),
    Said("text of Messages", b'content_block_start {"type":"text","text":""}', "writing"),
    Said("a tool of Responses", b'response.output_item.added {"type":"function_call","name":"shell"}', "tool:shell"),
    Said("thinking of Responses", b'response.output_item.added {"type":"reasoning"}', "thinking"),
    Said("a tool of Chat Completions", b'"tool_calls":[{"function":{"name":"read","arguments":""}}]', "tool:read"),
    Said("arguments of a tool go on", b'"tool_calls":[{"function":{"arguments":"{"}}]', ""),
    Said(
        "two starts in one chunk",
        b'content_block_start {"type":"tool_use","name":"Read"} content_block_start {"type":"tool_use","name":"Edit"}',
        "tool:Edit",
    ),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: said.what)
def test_what_begins_is_what_is_done_now(said: Said) -> None:
    watch = LiveWatch("id")
    assert starts_in(said.chunk)
    assert watch.see_start(said.chunk) is bool(said.activity)
    assert watch.activity == said.activity
    assert not watch.see_start(said.chunk)


@dataclass
class Stream:
    """As much of one as a watch sees."""

    exchange: Exchange
    status: int | None = None
    watches: tuple[LiveWatch, ...] = ()


def test_an_answer_that_is_not_recorded_is_looked_at_as_it_goes_by(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, redactor=Redactor(b"p"), policy="available", max_bytes=1 << 20, enabled=False)
    stream, watch = Stream(recorder.admit(b"1" * 16, admission())), LiveWatch("id")
    watch.follow(stream)  # type: ignore[arg-type]
    watch.follow(stream)  # type: ignore[arg-type]
    assert stream.watches == (watch,)
    tool, text = b'content_block_start {"type":"tool_use","name":"Bash"}', b"x" * (AROUND_A_DELTA + 40)
    for chunk in (tool, text, text):
        stream.exchange.chunk(chunk)
        watch.feed(chunk)
    told = watch.progress(stream)  # type: ignore[arg-type]
    received = len(tool) + 2 * len(text)
    tokens = (received - 3 * AROUND_A_DELTA) // BYTES_A_TOKEN
    assert told == {"bytes": received, "tokens": tokens, "doing": "tool:Bash"}
    assert watch.progress(stream) == {}  # type: ignore[arg-type]
    stream.status = 200
    assert watch.progress(stream) == {"status": 200}  # type: ignore[arg-type]
    watch.tell_all()
    assert watch.progress(stream) == told | {"status": 200}  # type: ignore[arg-type]
    watch.leave(stream)  # type: ignore[arg-type]
    assert stream.watches == ()


class Listener:
    def __init__(self, database_url: str) -> None:
        self.connection = psycopg.connect(database_url, autocommit=True)
        self.connection.execute(f"LISTEN {LIVE_CHANNEL}")
        self.heard: list[str] = []

    def hear(self, teller: LiveTeller, enough: Callable[[list[str]], bool]) -> None:
        """Until it is enough, while the teller is given its turns."""
        deadline = time.monotonic() + PATIENCE
        while not enough(self.heard):
            assert time.monotonic() < deadline, f"{len(self.heard)} heard"
            teller.send()
            self.heard += [notice.payload for notice in self.connection.notifies(timeout=0.01)]


def test_notices_leave_in_order_however_many(database_url: str) -> None:
    listener, teller = Listener(database_url), LiveTeller()
    wanted = [f"notice {number} " + "é" * 3000 for number in range(3 * MOST_AT_ONCE)]
    teller.start()
    try:
        for notice in wanted:
            teller.tell(notice)
        listener.hear(teller, lambda heard: len(heard) >= len(wanted))
        assert listener.heard == wanted
    finally:
        teller.stop()
        listener.connection.close()
    teller.thread.join(PATIENCE)
    assert not teller.thread.is_alive()


def test_notices_go_on_after_the_connection_was_cut(database_url: str) -> None:
    listener, teller = Listener(database_url), LiveTeller()
    teller.start()
    try:
        teller.tell("before")
        listener.hear(teller, lambda heard: "before" in heard)
        assert teller.database is not None
        listener.connection.execute("SELECT pg_terminate_backend(%s)", [teller.database.backend_pid])

        def told_again(heard: list[str]) -> bool:
            teller.tell("after")  # one or two are lost with the connection
            return "after" in heard

        listener.hear(teller, told_again)
    finally:
        teller.stop()
        listener.connection.close()
    teller.thread.join(PATIENCE)
    assert not teller.thread.is_alive()


def test_without_a_connection_what_waits_is_bounded_and_nobody_waits() -> None:
    teller = LiveTeller()
    for number in range(2 * MOST_WAITING):
        teller.tell(str(number))
        teller.send()
    assert len(teller.waiting) == MOST_WAITING
