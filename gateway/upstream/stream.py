"""The body of an answer, between the connection that brings it and the reader that takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway.upstream.client import HeaderPairs, httpx
from gateway.upstream.failures import BrokenAnswer, UpstreamFailure

HIGH_WATER = 64 * 1024
"""Unread bytes of an answer above which the socket is not read."""


class Source(Protocol):
    """The connection, as the stream sees it."""

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class WireStream(httpx.AsyncByteStream):
    """The body of one answer: `async for chunk in stream` gives the undecoded bytes as they arrived.

    Ends by StopAsyncIteration only when the message was complete; anything else raises an `UpstreamFailure` after the
    chunks that came before it.

    `taker` spares the reader: while that waits, each chunk but the last is offered to `taker` in the moment it comes,
    and the reader sleeps on when it was taken (True). What `taker` raises the reader gets.
    """

    __slots__ = ("_chunks", "_connection", "_failure", "_is_complete", "_unread", "_waiter", "taker")

    def __init__(self, connection: Source) -> None:
        self._connection: Source | None = connection
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: UpstreamFailure | None = None
        self._is_complete = False
        self.taker: Callable[[bytes], bool] | None = None

    def __aiter__(self) -> WireStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._is_complete:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        chunk = self._chunks.popleft()
        self._unread -= len(chunk)
        if self._unread <= HIGH_WATER and self._connection is not None:
            self._connection.resume_reading()
        return chunk

    @property
    def has_chunk(self) -> bool:
        """A chunk waits for the reader."""
        return bool(self._chunks)

    @property
    def is_complete(self) -> bool:
        """The whole message has arrived, read or not."""
        return self._is_complete

    @property
    def is_spent(self) -> bool:
        """The whole message has arrived and was read: nothing but the end is left."""
        return self._is_complete and not self._chunks

    def nudge(self) -> None:
        """Give a reader that waits an empty chunk, so that it can look at its clock."""
        if self._waiter is not None and not self._waiter.done():
            self._chunks.append(b"")
            self._wake()

    def abort(self) -> None:
        """Close the connection at once unless the message was complete. May be called any number of times."""
        if self._connection is not None:
            self._connection.abort()
            self.finish(BrokenAnswer("given up by the gateway", "body"))
        self._chunks.clear()
        self._unread = 0
        self.taker = None

    async def aclose(self) -> None:
        self.abort()

    def feed(self, chunk: bytes, *, is_last: bool = False) -> int:
        """Take a chunk; the answer is the number of bytes not yet read. The last one is always the reader's: it says
        the end in the same breath."""
        if self.taker is not None and not is_last and self._is_taken(chunk, self.taker):
            return 0
        self._chunks.append(chunk)
        self._unread += len(chunk)
        self._wake()
        return self._unread

    def _is_taken(self, chunk: bytes, taker: Callable[[bytes], bool]) -> bool:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return False  # Others are before it, or the reader is about to go.
        try:
            return taker(chunk)
        except Exception as error:
            waiter.set_exception(error)
            return True

    def finish(self, failure: UpstreamFailure | None) -> None:
        self._connection = None
        self.taker = None
        self._failure = failure
        self._is_complete = failure is None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Head(NamedTuple):
    """The final head of an answer and the stream of its body."""

    status: int
    reason: bytes
    http_version: str
    headers: HeaderPairs
    stream: WireStream
