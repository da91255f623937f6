"""What a process learns of its providers, written down and shared, off the hot path.

`tell` puts a piece of news into a bounded list and returns. A thread writes breaker transitions and rejected
credentials to Postgres, and every few seconds what the process knows; another sends the news through Redis where there
is one, and a third hands those of the other processes to the event loop. Postgres and Redis may be gone or stalled:
news then wait, and are dropped when there are too many; no request waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.utils import timezone

from gateway.metrics.bounded import read_known_models
from gateway.metrics.tallies import Tallies, shard_of
from gateway.models import BreakerTransition, Credential, FleetState
from gateway.upstream.fleet import BreakerMoved, CredentialRejected, Fleet, News

if TYPE_CHECKING:
    from gateway.upstream.sharing import Sharing

log = logging.getLogger(__name__)

WAITING_NEWS = 1000
STATE_SECONDS = 2.0
AGAIN_SECONDS = 30.0
"""A process that has told nothing for longer than some of these is dead (see gateway/alerting/providers.py)."""


class FleetNews:
    """`redis_url` empty: news stay in this process and in Postgres."""

    def __init__(self, fleet: Fleet, redis_url: str) -> None:
        self.fleet = fleet
        self.process = f"{socket.gethostname()}:{os.getpid()}"[:100]
        self._news: queue.Queue[News | dict[str, Any] | None] = queue.Queue(WAITING_NEWS)
        self._sharing = sharing(redis_url, self.process) if redis_url else None
        self._thread: threading.Thread | None = None
        self._last_state: dict[str, Any] | None = None

    def start(self) -> None:
        """On the event loop."""
        self.fleet.tell = self.tell
        self._thread = threading.Thread(target=self._write_all, name="fleet-news", daemon=True)
        self._thread.start()
        if self._sharing is not None:
            loop = asyncio.get_running_loop()
            self._sharing.start(lambda news: loop.call_soon_threadsafe(self.fleet.adopt, news))

    def stop(self) -> None:
        self._put(None)
        if self._thread is not None:
            self._thread.join(timeout=2)
        if self._sharing is not None:
            self._sharing.stop()

    def tell(self, news: News) -> None:
        log.warning("%s", sentence(news))
        self._put(news)
        if self._sharing is not None:
            self._sharing.send(news)

    async def tell_states(self) -> None:
        """Until cancelled."""
        told_at = 0.0
        while True:
            state = self.fleet.describe()
            now = time.monotonic()
            if state != self._last_state or now - told_at >= AGAIN_SECONDS:
                self._last_state, told_at = state, now
                self._put(state)
            await asyncio.sleep(STATE_SECONDS)

    def _put(self, item: News | dict[str, Any] | None) -> None:
        try:
            self._news.put_nowait(item)
        except queue.Full:
            log.warning("news of the providers are dropped: Postgres takes none")

    def _write_all(self) -> None:
        while (item := self._news.get()) is not None:
            try:
                close_old_connections()
                self._write(item)
            except (DatabaseError, InterfaceError) as error:
                log.warning("news of the providers were not written: %s", str(error).strip().split("\n")[0])
                connection.close()
        with contextlib.suppress(DatabaseError, InterfaceError):
            FleetState.objects.filter(process=self.process).delete()
        connection.close()

    def _write(self, item: News | dict[str, Any]) -> None:
        if isinstance(item, dict):
            FleetState.objects.update_or_create(
                process=self.process, defaults={"told_at": timezone.now(), "state": item}
            )
        elif isinstance(item, BreakerMoved):
            self._write_transition(item)
        elif isinstance(item, CredentialRejected):
            Credential.objects.filter(provider__name=item.provider, name=item.credential, blocked=False).update(
                blocked=True, blocked_until=None, blocked_reason=f"the provider answered {item.status}"
            )

    def _write_transition(self, moved: BreakerMoved) -> None:
        after = moved.transition.after.value
        with transaction.atomic():
            BreakerTransition.objects.create(
                at=datetime.fromtimestamp(moved.transition.at, UTC),
                process=self.process,
                provider=moved.provider,
                model=moved.model[:200],
                before=moved.transition.before.value,
                after=after,
                reason=moved.transition.reason,
            )
            with connection.cursor() as cursor:
                tallies = Tallies()
                model = read_known_models(cursor).label(moved.model)
                tallies.add("breaker_transitions_total", (moved.provider, model, after))
                tallies.write(cursor.execute, shard_of(self.process))


def sentence(news: News) -> str:
    if isinstance(news, BreakerMoved):
        moved = news.transition
        model = f" for {news.model}" if news.model else ""
        return f"breaker of {news.provider}{model}: {moved.before.value} → {moved.after.value}: {moved.reason}"
    if isinstance(news, CredentialRejected):
        return f"credential {news.provider}/{news.credential} is not used any more: the provider answered {news.status}"
    return f"credential {news.provider}/{news.credential} rests: the provider limits it"


def sharing(redis_url: str, process: str) -> Sharing:
    # The client's library takes 20 MiB, which a process without a Redis need not spend.
    from gateway.upstream.sharing import Sharing

    return Sharing(redis_url, process)
