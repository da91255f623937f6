"""One exchange on its way through: the provider's bytes as they come, and how it ended.

A class with `__anext__` and `close()`, because cleanup in an async generator runs late and in another task. Nothing
escapes `__anext__` but the end and a cancellation: once an answer has begun nobody is left to answer an exception.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Self

import structlog

from gateway.api.failure_log import log_failed_forward
from gateway.dialects.errors import encode_stream_error
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Outcome
from gateway.recording.exchange import Exchange
from gateway.upstream.client import httpx
from gateway.upstream.failures import BodyTimedOut, UpstreamFailure
from gateway.upstream.fleet import Lease
from gateway.upstream.stream import WireStream

if TYPE_CHECKING:
    from gateway.api.answer_cache import Filling
    from gateway.api.live_watch import LiveWatch
    from gateway.api.request import GatewayRequest
    from gateway.metering.usage import UsageWatch

EVENT_BOUNDARIES = (b"\n\n", b"\r\r", b"\r\n\r\n")
TAIL_BYTES = 4

log = structlog.get_logger(__name__)


class ExchangeStream:
    """`broken`: what was sent is no whole answer, and must not look like one. `sending_since` is the monotonic time at
    which the client was last given bytes that it has not taken yet; 0.0: it has taken them."""

    __slots__ = (
        "_chunks", "_closed", "_events", "_response", "_tail", "_way_out", "broken", "exchange", "lease", "live",
        "on_close", "outcome", "problem", "request", "sending_since", "watches",
    )  # fmt: skip

    def __init__(self, request: GatewayRequest, exchange: Exchange) -> None:
        self.request = request
        self.exchange = exchange
        self.broken = False
        self.lease: Lease | None = None
        """What the answer holds of its provider until it has ended."""
        self.sending_since = 0.0
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._events = False
        self._tail = b""
        self._way_out: Callable[[bytes], bool] | None = None
        self.outcome: Outcome | None = None
        self.problem: str | None = None
        self.on_close: Callable[[], None] | None = None
        self._closed = False
        self.live: LiveWatch | None = None
        """Set while somebody looks at the live pages."""
        self.watches: tuple[UsageWatch | Filling | LiveWatch, ...] = ()
        """What is to see the provider's bytes besides the record."""
        request.runtime.streams.add(self)

    def attach(self, response: httpx.Response, *, events: bool) -> None:
        """Take the provider's answer over. `events`: its body is server-sent events without a content coding."""
        self._response = response
        self._chunks = response.stream.__aiter__()  # type: ignore[union-attr]
        self._events = events

    def pass_to(self, way_out: Callable[[bytes], bool] | None) -> None:
        """From here on chunks may go to the client in the moment they come, while whoever iterates sleeps; those that
        `way_out` does not take come by `__anext__`."""
        wire = self._chunks
        if way_out is not None and isinstance(wire, WireStream):
            self._way_out = way_out
            wire.taker = self._pass

    def _pass(self, chunk: bytes) -> bool:
        assert self._way_out is not None
        if not self._way_out(chunk):
            return False
        self._note(chunk)
        return True

    def conclude(self, outcome: Outcome, problem: str | None = None) -> None:
        """Say how it ended; the first to say so is right."""
        if self.outcome is None:
            self.outcome, self.problem = outcome, problem

    def overrule(self, outcome: Outcome, problem: str) -> None:
        """What came whole turns out to be no answer."""
        if self.outcome in (None, Outcome.COMPLETED):
            self.outcome, self.problem = outcome, problem

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self.outcome is not None or self._chunks is None:
            raise StopAsyncIteration
        try:
            chunk = await self._chunks.__anext__()
        except StopAsyncIteration:
            self.conclude_whole()
            raise
        except UpstreamFailure as failure:
            return self._last_words(failure)
        except Exception as error:
            self.broken = True
            self.conclude(Outcome.UPSTREAM_ABORTED, f"the answer could not be read: {error!r}")
            raise StopAsyncIteration from None
        self._note(chunk)
        return chunk

    def _note(self, chunk: bytes) -> None:
        self.exchange.chunk(chunk)
        if self.watches:
            self._show(chunk)
        if self._events:
            self._tail = chunk if len(chunk) >= TAIL_BYTES else (self._tail + chunk)[-TAIL_BYTES:]

    def _show(self, chunk: bytes) -> None:
        """A watch that fails sees no more of the answer; the client gets it all the same."""
        for watch in self.watches:
            try:
                watch.feed(chunk)
            except Exception:
                log.exception("a watch failed", watch=type(watch).__name__, request_id=self.exchange.id_text)
                watch.give_up()
                self.watches = tuple(other for other in self.watches if other is not watch)

    @property
    def has_chunk(self) -> bool:
        """The next chunk is here already: asking for it does not wait."""
        return getattr(self._chunks, "has_chunk", False)

    @property
    def is_spent(self) -> bool:
        """The provider's answer is whole, and the bytes given last were its last."""
        return self.outcome is None and getattr(self._chunks, "is_spent", False)

    @property
    def status(self) -> int | None:
        """The provider's; None: it has not answered."""
        return self._response.status_code if self._response is not None else None

    def conclude_whole(self) -> None:
        status = self._response.status_code if self._response is not None else 0
        self.conclude(Outcome.UPSTREAM_ERROR if status >= 400 else Outcome.COMPLETED)

    def _last_words(self, failure: UpstreamFailure) -> bytes:
        """The answer broke. A silent provider is told to the client as an event where that is possible; then, and in
        all other cases at once, the connection is cut."""
        self.broken = True
        if self.lease is not None:
            self.lease.failed(failure.reason)
        log_failed_forward(self.request, failure, self.exchange.elapsed_us())
        silent = isinstance(failure, BodyTimedOut)
        self.conclude(Outcome.UPSTREAM_STALLED if silent else Outcome.UPSTREAM_ABORTED, str(failure))
        if not (silent and self._events):
            raise StopAsyncIteration
        event = encode_stream_error(self.request.dialect, ErrorKind.TIMEOUT, str(failure), self.exchange.id_text)
        between = not self._tail or self._tail.endswith(EVENT_BOUNDARIES)
        return event if between else b"\n\n" + event

    def close(self) -> None:
        """The request is over, however it ended. Called once by the handler, harmless when called again."""
        if self._closed:
            return
        self._closed = True
        self.request.runtime.streams.discard(self)
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()
        self.conclude(self._outcome_of_interruption())
        if self._response is not None:
            self._response.stream.abort()  # type: ignore[union-attr]
        if self.lease is not None:
            self.lease.release()
        if self.request.runtime.live.watched:
            self.request.runtime.live.over(self)
        self.exchange.finish(self.outcome or Outcome.INTERRUPTED, self.problem)

    def _outcome_of_interruption(self) -> Outcome:
        if self.request.client_gone:
            return Outcome.CLIENT_DISCONNECTED
        if self.request.client_stalled:
            return Outcome.CLIENT_STALLED
        return Outcome.INTERRUPTED_DRAIN if self.request.runtime.cutting else Outcome.INTERRUPTED
