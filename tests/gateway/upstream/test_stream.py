"""A body between its connection and its reader, and the short way round the reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.failures import BrokenAnswer
from gateway.upstream.stream import HIGH_WATER, WireStream


class Connection:
    def __init__(self) -> None:
        self.resumed = self.aborted = 0

    def resume_reading(self) -> None:
        self.resumed += 1

    def abort(self) -> None:
        self.aborted += 1


class Client:
    """Takes chunks while it is `willing`, and reads those it did not take."""

    def __init__(self, stream: WireStream) -> None:
        self.stream = stream
        self.willing = True
        self.seen: list[bytes] = []
        self.wakings = 0
        stream.taker = self.take
        self.task = asyncio.create_task(self.read())

    def take(self, chunk: bytes) -> bool:
        if self.willing:
            self.seen.append(chunk)
        return self.willing

    async def read(self) -> None:
        async for chunk in self.stream:
            self.wakings += 1
            self.seen.append(chunk)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    reading = Client(WireStream(Connection()))
    await asyncio.sleep(0)
    yield reading
    reading.task.cancel()
    await asyncio.gather(reading.task, return_exceptions=True)


async def test_a_willing_client_gets_chunks_without_its_reader_but_for_the_last(client: Client) -> None:
    assert [client.stream.feed(b"1"), client.stream.feed(b"2")] == [0, 0]
    assert client.seen == [b"1", b"2"], "in the moment they came"
    client.stream.feed(b"3", is_last=True)
    client.stream.finish(None)
    await client.task
    assert (client.seen, client.wakings) == ([b"1", b"2", b"3"], 1)


async def test_what_an_unwilling_client_leaves_is_read_and_counted_as_unread(client: Client) -> None:
    client.willing = False
    assert client.stream.feed(bytes(HIGH_WATER)) == HIGH_WATER
    client.willing = True
    assert client.stream.feed(b"!") == HIGH_WATER + 1, "the first one is still to be read"
    await asyncio.sleep(0)
    assert (client.seen, client.wakings) == ([bytes(HIGH_WATER), b"!"], 2)
    assert client.stream.feed(b"2") == 0
    assert client.seen[2:] == [b"2"]


async def test_a_failure_comes_after_what_was_taken(client: Client) -> None:
    client.stream.feed(b"1")
    client.stream.finish(BrokenAnswer("closed", "body"))
    with pytest.raises(BrokenAnswer):
        await client.task
    assert client.seen == [b"1"]


async def test_the_reader_gets_what_the_taker_raises(client: Client) -> None:
    def fail(chunk: bytes) -> bool:
        raise ValueError(chunk)

    client.stream.taker = fail
    assert client.stream.feed(b"1") == 0
    with pytest.raises(ValueError, match="1"):
        await client.task


async def test_nothing_is_taken_for_a_reader_that_was_cancelled(client: Client) -> None:
    client.task.cancel()
    assert client.stream.feed(b"1") == 1
    client.stream.abort()
    assert client.stream.feed(b"2") == 1
    assert client.seen == []


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_chunks_keep_their_order_whoever_takes_them(steps: list[tuple[bool, bool]]) -> None:
    """Each step: is the client willing, and may its reader run afterwards?"""

    async def told() -> list[bytes]:
        client = Client(WireStream(Connection()))
        for number, (willing, runs) in enumerate(steps):
            client.willing = willing
            client.stream.feed(b"%d" % number)
            await asyncio.sleep(0) if runs else None
        client.stream.finish(None)
        await client.task
        return client.seen

    assert asyncio.run(told()) == [b"%d" % number for number in range(len(steps))]
