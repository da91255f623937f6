"""What the relay tells of one exchange, on its way to the recorder. See gateway/recording/recorder.py."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic_ns
from typing import TYPE_CHECKING

import msgspec

from gateway.dialects.names import Outcome
from gateway.policy.header_rules import Deed
from gateway.recording.delta import Delta
from gateway.recording.failpoints import armed, hit
from gateway.recording.records import Attempt, BodyPatch, End, ResponseHead, Translated
from gateway.recording.rules_told import RulesTold
from gateway.recording.withheld import Withheld

if TYPE_CHECKING:
    from gateway.recording.recorder import Recorder

CHUNK_OVERHEAD = 64
"""What a kept chunk costs in memory beside its bytes."""

replace = msgspec.structs.replace


class Exchange:
    """What the relay reports to. No method raises. `lost` names why bytes are missing; a muted one keeps nothing."""

    __slots__ = (
        "_attempts", "_began", "_delta", "_finished", "_marked", "_recorder", "_taken", "id", "lost", "muted",
        "received", "ruled", "withheld",
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
        self._taken = 0
        """Chunks in the news that were taken."""
        self._attempts: list[Attempt] = []
        self._finished = False

    @property
    def id_text(self) -> str:
        return str(uuid.UUID(bytes=self.id))

    @property
    def chunk_count(self) -> int:
        """Chunks of the answer so far, as far as they are recorded."""
        delta = getattr(self, "_delta", None)  # goes with the end
        return self._taken + delta.chunk_count if delta is not None else self._taken

    @property
    def keeps_chunks(self) -> bool:
        """All bytes of the answer go into the record."""
        return self.lost is None and (self.withheld is None or not self.withheld.meters)

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
        self._taken += delta.chunk_count
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
