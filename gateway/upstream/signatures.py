"""Which signed requests came before, in all processes that share a Redis.

No request waits for Redis: a process goes by what it knows, tells the others at once in the background, and hears of
theirs the same way; when it starts it reads what is remembered. So a signature that opened one process opens another
for as long as that takes at most, and where Redis is away each process goes by its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

import structlog

from gateway.policy.signing import REMEMBERED, WINDOW_SECONDS, UsedSignatures

STREAM = "turnlog:signatures"
FIELD = b"s"
AT_ONCE = 500
LISTEN_MS = 2000
REDIS_SECONDS = 5.0
PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class SharedSignatures:
    """`redis_url` empty: those of this process."""

    def __init__(self, redis_url: str) -> None:
        self._used = UsedSignatures()
        self._url = redis_url
        self._untold: deque[bytes] = deque(maxlen=REMEMBERED)
        self._stirred = asyncio.Event()

    def is_new(self, value: bytes, now: float) -> bool:
        found = self._used.is_new(value, now)
        if found and self._url:
            self._untold.append(value)
            self._stirred.set()
        return found

    async def run(self) -> None:
        """Tell and listen, until cancelled."""
        if self._url:
            await asyncio.gather(self._repeat(self._tell), self._repeat(self._listen))

    async def _repeat(self, work: Any) -> None:
        # The client's library takes 20 MiB, which a process without a Redis need not spend.
        import redis.asyncio as redis
        from redis.exceptions import RedisError

        is_away = False
        while True:
            client = redis.Redis.from_url(self._url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
            try:
                await work(client)
            except (RedisError, OSError, TimeoutError) as error:
                if not is_away:
                    log.warning("signatures are not shared with the other processes", error=repr(error))
                is_away = True
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await client.aclose()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _tell(self, client: Any) -> None:
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._untold:
                told = [self._untold[at] for at in range(min(AT_ONCE, len(self._untold)))]
                pipeline = client.pipeline(transaction=False)
                for value in told:
                    pipeline.xadd(STREAM, {FIELD: value}, maxlen=REMEMBERED, approximate=True)
                pipeline.expire(STREAM, int(4 * WINDOW_SECONDS))
                try:
                    await pipeline.execute()
                except BaseException:
                    self._stirred.set()
                    raise
                for _ in told:
                    self._untold.popleft()

    async def _listen(self, client: Any) -> None:
        last = b"0-0"
        while True:
            for _, entries in await client.xread({STREAM: last}, count=AT_ONCE, block=LISTEN_MS) or ():
                for entry_id, fields in entries:
                    self._used.is_new(fields.get(FIELD, b""), time.time())
                    last = entry_id
