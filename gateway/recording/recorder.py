"""Observes exchanges on the event loop: keeps references, makes no copies, waits for nothing and cannot raise.

The relay calls `admit` before it contacts the provider and reports to the `Exchange` it gets. News are collected by
reference and handed to the spool's writer thread in one batch every 100 ms; with no news there is no timer. A fault in
here is counted and costs the record, never the exchange.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns

import msgspec
import structlog

from gateway.dialects.names import Outcome
from gateway.policy.capture import CaptureMode, CaptureRule
from gateway.policy.header_rules import Deed
from gateway.policy.redaction import Redactor
from gateway.recording.counters import DROP_SLOTS, TELEMETRY_SLOTS, Counters, Slot
from gateway.recording.delta import Delta
from gateway.recording.failpoints import armed, hit
from gateway.recording.records import Admission, Attempt, BodyPatch, End, ResponseHead, Translated
from gateway.recording.rules_told import RulesTold
from gateway.recording.spool import Spool, SpoolRefusal
from gateway.recording.withheld import Withheld, withhold

FLUSH_SECONDS = 0.1
BACKLOG_BYTES = 64 * 1024 * 1024
EXCHANGE_BYTES = 256 * 1024 * 1024
CHUNK_OVERHEAD = 64
"""What a kept chunk costs in memory beside its bytes."""
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


class Exchange:
    """What the relay reports to. No method raises. `lost` names why bytes are missing; a muted one keeps nothing."""

    __slots__ = (
        "_attempts", "_began", "_delta", "_finished", "_marked", "_recorder", "id", "lost", "muted", "received",
        "ruled", "withheld",
    )  # fmt: skip

    def __init__(self, recorder: Recorder, exchange_id: bytes) -> None:
        self.id = exchange_id
        self.lost: str | None = None
        self.muted = False
        self.ruled = False
        """Something was told of header rules."""
        self.withheld: Withheld | None = None
        """What a policy does not want kept of it."""
        self._recorder = recorder
        self._began = monotonic_ns()
        self._delta = Delta(self)
        self._marked = False
        self.received = 0
        self._attempts: list[Attempt] = []
        self._finished = False

    @property
    def id_text(self) -> str:
        return str(uuid.UUID(bytes=self.id))

    def elapsed_us(self) -> int:
        """Microseconds since the admission, by the monotonic clock."""
        return (monotonic_ns() - self._began) // 1000

    def request_body(self, body: bytes) -> None:
        """The request's body as it came, whole; once. A reference is kept."""
        try:
            if armed:
                hit("request_body")
            withheld = self.withheld
            if (withheld is None or withheld.takes_body(body)) and self._may_keep(len(body)):
                self._delta.body = body
        except Exception:
            self._fault("request_body")

    def patch(self, start: int, end: int, text: bytes) -> None:
        """Bytes [start, end) of the body went out as `text`; once for each place that was changed."""
        try:
            if armed:
                hit("patch")
            if not self._finished and not self._has_only_metadata:
                self._delta.patches.append(BodyPatch(start, end, text))
                self.mark()
        except Exception:
            self._fault("patch")

    def translated(self, translated: Translated) -> None:
        """The exchange is translated; told again when more of it is known."""
        try:
            if armed:
                hit("translated")
            if not self._finished:
                if self.withheld is not None:
                    self.withheld.dialect = translated.dialect
                    translated = replace(translated, losses=[]) if self._has_only_metadata else translated
                self._delta.translated = translated
                self.mark()
        except Exception:
            self._fault("translated")

    def header_rules(self, request: Deed | None, response: Deed | None) -> None:
        """What rules did, or would have done, to the headers of each direction, in clear: they are redacted here."""
        try:
            if armed:
                hit("header_rules")
            if not self._finished:
                tell = self._recorder.rules_told if self.withheld is None else RulesTold(self._kept_headers)
                self.ruled = True
                self._delta.rules = tell(request, response)
                self.mark()
        except Exception:
            self._fault("header_rules")

    def attempt(self, attempt: Attempt) -> None:
        """One try to reach a provider is over; they are recorded with the end."""
        try:
            if armed:
                hit("attempt")
            self._attempts.append(attempt)
        except Exception:
            self._fault("attempt")

    def response_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Status and headers, in clear: they are redacted here."""
        try:
            if armed:
                hit("response_head")
            if not self._finished:
                self._delta.head = ResponseHead(self.elapsed_us(), status, self._kept_headers(headers))
                self.mark()
        except Exception:
            self._fault("response_head")

    def chunk(self, data: bytes) -> None:
        """Bytes of the answer's body, as they arrived; the reference is kept and the time noted."""
        try:
            if armed:
                hit("chunk")
            size = len(data)
            self.received += size
            if self.lost is None and size and self._may_keep(size):
                delta, at_us = self._delta, (monotonic_ns() - self._began) // 1000
                withheld = self.withheld
                if withheld is not None and withheld.meters:
                    delta.metered.append(data)
                    if not withheld.takes_chunk(size):
                        delta.unkept.append((at_us, size))
                        return
                delta.chunks.append(data)
                delta.times.append(at_us)
        except Exception:
            self._fault("chunk")

    def held(self, since: float, seconds: float) -> None:
        """The client took no bytes for so long, from this monotonic time on."""
        try:
            if armed:
                hit("held")
            if not self._finished:
                self._delta.held.append((int(since * 1e6) - self._began // 1000, int(seconds * 1e6)))
                self.mark()
        except Exception:
            self._fault("held")

    def finish(self, outcome: Outcome, error: str | None = None) -> None:
        """How it ended. Only the first call counts."""
        if self._finished:
            return
        self._finished = True
        try:
            self._recorder.closed()
            if armed:
                hit("finish")
            self._end(outcome, error)
        except Exception:
            self._fault("finish")
            with suppress(Exception):
                self._end(outcome, error)

    def _kept_headers(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """As they may be kept: secrets as fingerprints, and what a policy withholds left out."""
        redacted = self._recorder.redacted(pairs)
        return redacted if self.withheld is None else list(self.withheld.headers(redacted))

    @property
    def _has_only_metadata(self) -> bool:
        return self.withheld is not None and self.withheld.only_metadata

    def mark(self) -> None:
        if not self._marked and not self.muted:
            self._marked = True
            self._recorder.mark(self)

    def take(self) -> Delta:
        """The news since the last time."""
        if armed:
            hit("take")
        delta = self._delta
        if delta.end is None:
            self._delta = Delta(self)
        else:
            # Nothing comes after the end. The exchange and its delta would hold each other.
            del self._delta
        self._marked = False
        return delta

    def _end(self, outcome: Outcome, error: str | None) -> None:
        withheld = self.withheld
        kept_as = "full" if withheld is None else withheld.kept_as
        end = End(self.elapsed_us(), outcome.value, error, self._attempts, self.lost or kept_as, self.received)
        self._delta.end = end if withheld is None else withheld.end(end)
        self.mark()

    def _may_keep(self, size: int) -> bool:
        """Whether `size` more bytes are within the bounds; counts them when they are."""
        if self.muted or self._finished:
            return False
        recorder = self._recorder
        if recorder.submitted - recorder.spool.written >= recorder.backlog_bound:
            self.lost = "lost_backlog"
            return False
        if self.received > recorder.exchange_bytes:
            self.lost = "lost_size"
            return False
        recorder.submitted += size + CHUNK_OVERHEAD
        self._delta.size += size + CHUNK_OVERHEAD
        if not self._marked:
            self.mark()
        return True

    def _fault(self, where: str) -> None:
        with suppress(Exception):
            self.lost = self.lost or "recorder_fault"
            self._recorder.note_fault(where, self)
