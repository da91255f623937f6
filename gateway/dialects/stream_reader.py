"""What the stream decoders of all dialects have in common: how a stream begins, ends and breaks off."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.dialects.answer import Failed, StreamEvent
from gateway.dialects.failures import ErrorKind
from gateway.dialects.sse_data import EventData
from gateway.dialects.turn import Request


class StreamReader(ABC):
    """A fold over the data of a stream's events. Its end is `_ended`; `_started` only words a failure."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._data = EventData()
        self._started = False
        self._ended = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """The events that `chunk` completes."""
        events: list[StreamEvent] = []
        for data in self._data.feed(chunk):
            if self._ended:
                break
            self._read(data, events)
        return events

    def finish(self) -> list[StreamEvent]:
        """The body has ended: an answer without any sign of its end broke off."""
        events: list[StreamEvent] = []
        for data in self._data.finish():
            if not self._ended:
                self._read(data, events)
        if not self._ended:
            self._end_unsaid(events)
        return events

    @abstractmethod
    def _read(self, data: bytes, events: list[StreamEvent]) -> None:
        """The data of one event."""

    def _end_unsaid(self, events: list[StreamEvent]) -> None:
        """The body has ended and no event said so."""
        self._break_off(events)

    def _break_off(self, events: list[StreamEvent]) -> None:
        begun = "broke off before its end" if self._started else "ended without an answer"
        if self._data.overflowed:
            begun = "holds an event that is too big to be read"
        self._fail(Failed(ErrorKind.API_ERROR, f"The provider's stream {begun}."), events)

    def _fail(self, failed: Failed, events: list[StreamEvent]) -> None:
        self._ended = True
        events.append(failed)
