"""What keeps the counters of this process right while it runs, in the background."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING

import structlog

from gateway.metering.books import EVERY_SECONDS, Books
from gateway.metering.counters import Counters

if TYPE_CHECKING:
    from gateway.configuration.keeper import ConfigurationKeeper
    from gateway.metering.sharing import Sharing

log = structlog.get_logger(__name__)


class Metering:
    """`redis_url` empty: there is no other process to share with."""

    def __init__(self, counters: Counters, configuration: ConfigurationKeeper, redis_url: str) -> None:
        self._counters = counters
        self._configuration = configuration
        self._redis_url = redis_url
        self._sharing: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        counters.shared = counters.reachable = bool(redis_url)
        counters.stir = self._stirred.set
        self.books = Books(counters)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._round()
                # The first counter of all is asked for at once; afterwards the sharing is stirred instead.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), EVERY_SECONDS)
                self._stirred.clear()
        finally:
            if self._sharing is not None:
                self._sharing.cancel()

    async def _round(self) -> None:
        snapshot = self._configuration.current
        if snapshot is None or snapshot.rulebook is None:
            return
        if self._redis_url and self._sharing is None:
            sharing = sharing_of(self._counters, self._redis_url)
            self._sharing = asyncio.create_task(self._share(sharing))
        try:
            await self.books.keep(snapshot.rulebook)
        except Exception:  # whatever is wrong with one round, the next one is made
            log.exception("budgets could not be kept")

    async def _share(self, sharing: Sharing) -> None:
        while True:
            try:
                await sharing.run()
            except Exception:
                log.exception("limits could not be shared")
            await asyncio.sleep(EVERY_SECONDS)


def sharing_of(counters: Counters, url: str) -> Sharing:
    # Processes without Redis have no need of its client.
    from gateway.metering.sharing import Sharing

    return Sharing(counters, url, uuid.uuid4().hex)
