"""Answers kept to be given again: in the memory of the process, bounded in bytes, and in Redis where a rule says so.

Redis is asked only for requests that such a rule is about, and for no longer than a tenth of a second; once it has not
answered it is left alone for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

import msgspec
import structlog

PREFIX = b"turnlog:answers:"
REDIS_SECONDS = 0.1
REST_SECONDS = 5.0
OVERHEAD = 512
"""What a kept answer costs beside its bytes."""

log = structlog.get_logger(__name__)


class KeptAnswer(msgspec.Struct, frozen=True):
    """`made` and `until` in Unix seconds; model, key and team are what it may be cleared by."""

    status: int
    pairs: list[tuple[bytes, bytes]]
    body: bytes
    made: float
    until: float
    model: str = ""
    key: str = ""
    team: str = ""

    @property
    def size(self) -> int:
        return len(self.body) + sum(len(name) + len(value) for name, value in self.pairs) + OVERHEAD


class AnswerStore:
    """One for each process; on its event loop."""

    def __init__(self, redis_url: str) -> None:
        self.max_bytes = 0
        self.size = 0
        self._answers: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._redis_url = redis_url
        self._redis: Any = None
        self._rests_until = 0.0
        self._writing: set[asyncio.Task[None]] = set()

    def find(self, digest: bytes, now: float) -> KeptAnswer | None:
        found = self._answers.get(digest)
        if found is None:
            return None
        if now >= found.until:
            self.drop(digest)
            return None
        self._answers.move_to_end(digest)
        return found

    async def find_shared(self, digest: bytes, now: float) -> KeptAnswer | None:
        """What another process kept."""
        client = self._client()
        if client is None:
            return None
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                data = await client.get(PREFIX + digest)
            found = msgspec.msgpack.decode(data, type=KeptAnswer) if data else None
        except Exception as error:
            self._rest(error)
            return None
        return found if found is not None and now < found.until else None

    def keep(self, digest: bytes, answer: KeptAnswer, *, in_redis: bool) -> None:
        self.drop(digest)
        if answer.size > self.max_bytes:
            return
        self._answers[digest] = answer
        self.size += answer.size
        while self.size > self.max_bytes:
            self.drop(next(iter(self._answers)))
        if in_redis:
            task = asyncio.create_task(self._write(digest, answer))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    def drop(self, digest: bytes) -> None:
        gone = self._answers.pop(digest, None)
        if gone is not None:
            self.size -= gone.size

    async def _write(self, digest: bytes, answer: KeptAnswer) -> None:
        client = self._client()
        if client is None:
            return
        try:
            seconds = max(1, int(answer.until - answer.made))
            await client.set(PREFIX + digest, msgspec.msgpack.encode(answer), ex=seconds)
        except Exception as error:
            self._rest(error)

    def _rest(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + REST_SECONDS
        log.warning("answers kept in Redis cannot be used", error=repr(error))

    def _client(self) -> Any:
        if not self._redis_url or time.monotonic() < self._rests_until:
            return None
        if self._redis is None:
            # The client's library takes memory that a process without it need not spend.
            import redis.asyncio as redis

            self._redis = redis.Redis.from_url(self._redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
        return self._redis
