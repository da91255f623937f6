"""What is read of answers for the live pages, and how notices leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.live_teller import MOST_AT_ONCE, MOST_WAITING, LiveTeller
from gateway.api.live_watch import JOINED_BYTES, STARTS, LiveWatch, find_starts, news_of, starts_in
from gateway.metrics.live_channel import LIVE_CHANNEL
from gateway.recording.delta import Delta
from gateway.recording.records import ResponseHead

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
