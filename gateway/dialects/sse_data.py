"""The data of server-sent events, quickly: what translating a stream needs, and no more.

The usual framing (LF, one data line, perhaps an event line before it) is split in place; anything else goes through
`SSEDecoder`, which knows every rule. Cuts between chunks change nothing.
"""

from __future__ import annotations

from gateway.dialects.json_values import write_json
from gateway.dialects.sse import LINE_CAP, ServerSentEvent, SSEDecoder


class EventData:
    """Turns chunks into the events' data. Never raises; an event over the cap of 16 MiB is left out (`overflowed`)."""

    def __init__(self) -> None:
        self.overflowed = False
        self._rest = bytearray()
        self._decoder: SSEDecoder | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that `chunk` completes."""
        if self._decoder is not None:
            return self._read(self._decoder.feed(chunk))
        if b"\r" in chunk:
            return self._change_over(chunk)
        rest = self._rest
        if rest:
            if b"\n\n" not in chunk and not (rest[-1] == 10 and chunk[:1] == b"\n"):
                rest += chunk
                return self._change_over(b"") if len(rest) > LINE_CAP else []
            chunk = bytes(rest) + chunk
            rest.clear()
        pieces = chunk.split(b"\n\n")
        last = pieces.pop()
        if last:
            rest += last
        return self._split(pieces)

    def finish(self) -> list[bytes]:
        """The data of an event at the end that no blank line ended."""
        events = []
        decoder = self._decoder
        if decoder is None:
            decoder = SSEDecoder()
            events = decoder.feed(bytes(self._rest))
        last = decoder.finish()
        return self._read([*events, last] if last is not None else events)

    def _split(self, pieces: list[bytes]) -> list[bytes]:
        found = []
        for piece in pieces:
            if piece[:6] == b"data: " and b"\n" not in piece:
                found.append(piece[6:])
                continue
            start = piece.find(b"\ndata: ")
            if piece[:7] == b"event: " and piece[7:12] != b"error" and start > 0 and piece.find(b"\n") == start:
                data = piece[start + 7 :]
                if b"\n" not in data:
                    found.append(data)
                    continue
            found += self._read(SSEDecoder().feed(piece + b"\n\n"))
        return found

    def _change_over(self, chunk: bytes) -> list[bytes]:
        """From here on by the decoder that knows every rule."""
        self._decoder = SSEDecoder()
        return self._read(self._decoder.feed(bytes(self._rest) + chunk))

    def _read(self, events: list[ServerSentEvent]) -> list[bytes]:
        found = []
        for event in events:
            self.overflowed |= event.opaque
            if event.name == b"error" and event.data and b'"error"' not in event.data:
                # The name alone says that it is an error: let the data say so.
                said = event.data if event.data[:1] == b"{" else write_json(event.data.decode("utf-8", "replace"))
                found.append(b'{"error":' + said + b"}")
            elif event.data:
                found.append(event.data)
        return found
