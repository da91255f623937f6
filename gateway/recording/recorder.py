"""Observes exchanges on the event loop: keeps references, makes no copies, waits for nothing and cannot raise.

The relay calls `admit` before it contacts the provider and reports to the `Exchange` it gets. News are collected by
reference and handed to the spool's writer thread in one batch every 100 ms; with no news there is no timer. A fault in
here is counted and costs the record, never the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from gateway.policy.capture import CaptureMode, CaptureRule
from gateway.policy.redaction import Redactor
from gateway.recording.counters import DROP_SLOTS, TELEMETRY_SLOTS, Counters, Slot
from gateway.recording.delta import Delta
from gateway.recording.exchange import Exchange
from gateway.recording.failpoints import armed, hit
from gateway.recording.records import Admission
from gateway.recording.rules_told import RulesTold
from gateway.recording.spool import Spool, SpoolRefusal
from gateway.recording.withheld import withhold

FLUSH_SECONDS = 0.1
BACKLOG_BYTES = 64 * 1024 * 1024
EXCHANGE_BYTES = 256 * 1024 * 1024
RETRY_AFTER_SECONDS = 5

log = structlog.get_logger(__name__)
encode = msgspec.msgpack.Encoder().encode
replace = msgspec.structs.replace


class CaptureUnavailable(Exception):
    """The policy is strict and the history cannot be kept: answer 503 and ask to try again in `retry_after` seconds."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the history cannot be kept: {reason}")
        self.retry_after = RETRY_AFTER_SECONDS


class Recorder:
    """One for each `web` process; all methods on its event loop. `policy` is `available` or `strict`."""

    def __init__(
        self,
        spool_dir: Path,
        *,
        redactor: Redactor,
        policy: str,
        max_bytes: int,
        enabled: bool = True,
        backlog_bytes: int = BACKLOG_BYTES,
        exchange_bytes: int = EXCHANGE_BYTES,
    ) -> None:
        self.exchange_bytes = exchange_bytes
        self.backlog_bound = backlog_bytes
        self.submitted = 0
        self.counters = Counters()
        self.spool = Spool(spool_dir, self.counters, max_bytes=max_bytes)
        self._redactor = redactor
        self.rules_told = RulesTold(self.redacted)
        self.watcher: Callable[[Sequence[Delta]], None] | None = None
        """Sees what goes to the writer, before it does. Must not raise or keep it."""
        self._strict = policy == "strict"
        self._enabled = enabled
        self._in_flight = 0
        self._news: list[Exchange] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the series. When the disk refuses, it is tried again every second and `ready` is False until then."""
        if not self._enabled:
            return
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self.spool.open)
        self.counters.adopt()

    async def stop(self) -> None:
        """Write everything observed so far, force it to disk and close the series."""
        if self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        self._loop = None
        await asyncio.to_thread(self.spool.close)
        self.counters.close()

    def admit(self, exchange_id: bytes, admission: Admission, policy: CaptureRule | None = None) -> Exchange:
        """Make the admission durable and return what the relay reports to. Raises only CaptureUnavailable.

        `exchange_id` is 16 bytes; the admission's headers and query are in clear and are redacted here.
        """
        exchange = Exchange(self, exchange_id)
        if policy is not None and self._enabled and policy.mode is CaptureMode.NONE:
            exchange.lost, exchange.muted = "capture_none", True
            self.counters.add(Slot.DROPPED_BY_POLICY)
        elif self._enabled:
            if policy is not None:
                exchange.withheld, admission = withhold(policy, admission, self.counters)
            try:
                self._write_stub(exchange, admission)
            except SpoolRefusal as refusal:
                self._drop(exchange, refusal.reason)
            except Exception:
                self.note_fault("admit", exchange)
                self._drop(exchange, "fault")
        else:
            exchange.lost = "disabled"
            exchange.muted = True
        self._in_flight += 1
        self.counters.slots[Slot.IN_FLIGHT] = self._in_flight
        return exchange

    def ready(self) -> bool:
        """False when the history cannot be kept right now."""
        return not self._enabled or (self.spool.refusal is None and self.backlog() < self.backlog_bound)

    @property
    def in_flight(self) -> int:
        """Exchanges admitted and not finished."""
        return self._in_flight

    def set_draining(self, draining: bool) -> None:
        self.counters.slots[Slot.DRAINING] = int(draining)

    def count_telemetry(self, kind: str) -> None:
        """One request to the telemetry endpoints; `kind` is metrics, logs or traces."""
        self.counters.add(TELEMETRY_SLOTS.get(kind, Slot.TELEMETRY_OTHER))

    def backlog(self) -> int:
        """Bytes observed and not yet on disk."""
        return self.submitted - self.spool.written

    def flush(self) -> None:
        """Hand all news to the writer."""
        self._timer = None
        news, self._news = self._news, []
        deltas = []
        for exchange in news:
            try:
                deltas.append(exchange.take())
            except Exception:
                self.note_fault("flush", exchange)
                self.mark(exchange)
        if self.watcher is not None:
            self.watcher(deltas)
        self.spool.submit(deltas)

    def mark(self, exchange: Exchange) -> None:
        """The exchange has news for the next batch."""
        self._news.append(exchange)
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self.flush)

    def closed(self) -> None:
        self._in_flight -= 1
        self.counters.slots[Slot.IN_FLIGHT] = self._in_flight

    def note_fault(self, where: str, exchange: Exchange) -> None:
        with suppress(Exception):
            self.counters.add(Slot.FAULTS)
            log.exception("recorder fault", where=where, request_id=exchange.id_text)

    def redacted(self, headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return self._redactor.headers(headers)

    def _write_stub(self, exchange: Exchange, admission: Admission) -> None:
        if self.counters.prepared is not None:
            self.counters.adopt()
        if armed:
            hit("admit")
        if self._strict and self.backlog() >= self.backlog_bound:
            raise SpoolRefusal("backlog")
        query = admission.query and self._redactor.query(admission.query)
        clean = replace(admission, headers=self._redactor.headers(admission.headers), query=query)
        self.spool.write_stub(exchange.id, encode(clean))
        exchange.mark()

    def _drop(self, exchange: Exchange, reason: str) -> None:
        """Serve without a record, counted by name; or not at all."""
        if self._strict:
            raise CaptureUnavailable(reason)
        exchange.lost = reason
        exchange.muted = True
        self.counters.add(DROP_SLOTS[reason])
