"""Server-sent events out of bytes, however the network cut them.

Everything here is about bytes: lines end at CR, LF or CRLF and nowhere else (text splitting would also cut at U+2028),
and what a line holds is left to whoever reads the event. The one subtle point is a CRLF cut in half: a CR at the end of
a chunk ends its line at once, and an LF at the start of the next chunk is then skipped. An event's `end` lies before
the blank line that ended it, so that offsets too are the same wherever the cuts were.
"""

from __future__ import annotations

from typing import Final

import msgspec

LINE_CAP: Final = 16 * 1024 * 1024
"""The longest line, and the most data of one event, that is kept: 16 MiB."""

_BOM: Final = b"\xef\xbb\xbf"
_MOST_DIGITS: Final = 18


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event. `name` is empty when the stream gave none; `data` is its data lines joined by LF.

    `start` and `end` are offsets in the stream: bytes [start, end) are the event's lines with their line ends, without
    the blank line after them. `complete` is False for an event at the end of the stream that no blank line ended.
    `opaque` is True when a line, or the data together, went over the cap: `data` is then empty.
    """

    name: bytes
    data: bytes
    start: int
    end: int
    id: bytes | None = None
    retry: int | None = None
    complete: bool = True
    opaque: bool = False


class SSEDecoder:
    """Turns chunks into events. It never raises, and holds no more than about the cap between two chunks.

    `comments` counts the comment lines met; `warnings` says in words what had to be left out.
    """

    def __init__(self, line_cap: int = LINE_CAP) -> None:
        self.comments = 0
        self.warnings: list[str] = []
        self._cap = line_cap
        self._position = 0
        self._head: bytes | None = b""
        self._skip_lf = False
        self._partial = bytearray()
        self._partial_size = 0
        self._reset(0)

    def _reset(self, start: int) -> None:
        self._start = start
        self._touched = False
        self._opaque = False
        self._name = b""
        self._id: bytes | None = None
        self._retry: int | None = None
        self._data: list[bytes] = []
        self._data_size = 0

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that `chunk` completes."""
        if self._head is not None:
            chunk = self._strip_bom(self._head + chunk)
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
                if self._start == self._position:
                    self._start += 1
                self._position += 1
        if not chunk:
            return []
        lines = chunk.splitlines(keepends=True)
        self._skip_lf = chunk[-1:] == b"\r"
        rest = b"" if chunk[-1:] in b"\r\n" else lines.pop()
        if self._partial and lines:
            self._hold(lines[0])
            lines[0] = self._take_partial()
        events = self._read(lines)
        if rest:
            self._hold(rest)
        return events

    def finish(self) -> ServerSentEvent | None:
        """The event at the end of the stream that no blank line ended, or None. The decoder is done after it."""
        if self._head:
            head, self._head = self._head, None
            self._hold(head)
        if self._partial:
            self._read([self._take_partial()])
        return self._dispatch(self._position, complete=False) if self._touched else None

    def _strip_bom(self, head: bytes) -> bytes:
        """`head` without a byte order mark, or nothing while it may still be the first part of one."""
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        if not head.startswith(_BOM):
            return head
        self._position = self._start = len(_BOM)
        return head[len(_BOM) :]

    def _hold(self, piece: bytes) -> None:
        """Keep a piece of a line. Past the cap only sizes are kept, and the line's end."""
        self._partial_size += len(piece)
        if self._partial_size <= self._cap + 2:
            self._partial += piece
        else:
            self._partial = bytearray(b":" + piece[-2:])  # never empty: a blank line would end the event

    def _take_partial(self) -> bytes:
        line = bytes(self._partial)
        size, self._partial, self._partial_size = self._partial_size, bytearray(), 0
        if size != len(line):
            self._overflow("a line")
            self._position += size - len(line)
        return line

    def _read(self, lines: list[bytes]) -> list[ServerSentEvent]:
        # This loop runs once for every line of every answer: the two usual fields are read in place.
        events: list[ServerSentEvent] = []
        position = self._position
        cap = self._cap
        for line in lines:
            content = line.rstrip(b"\r\n")
            if not content:
                if self._touched:
                    events.append(self._dispatch(position, complete=True))
                position += len(line)
                self._reset(position)
                continue
            position += len(line)
            if len(content) > cap:
                self._overflow("a line")
            elif content[:5] == b"data:":
                self._touched = True
                self._add_data(content[6:] if content[5:6] == b" " else content[5:])
            elif content[:6] == b"event:":
                self._touched = True
                self._name = content[7:] if content[6:7] == b" " else content[6:]
            elif not self._opaque:
                self._read_other(content)
        self._position = position
        return events

    def _add_data(self, value: bytes) -> None:
        self._data_size += len(value) + 1
        if self._data_size > self._cap + 1:
            self._overflow("its data")
        else:
            self._data.append(value)

    def _read_other(self, content: bytes) -> None:
        """A comment, or a field that few streams use. Unknown fields are ignored, as the standard asks."""
        field, _, value = content.partition(b":")
        value = value.removeprefix(b" ")
        if not field:
            self.comments += 1
        elif field == b"data":
            self._touched = True
            self._add_data(value)
        elif field == b"event":
            self._touched = True
            self._name = value
        elif field == b"id" and b"\0" not in value:
            self._touched = True
            self._id = value
        elif field == b"retry" and value.isdigit() and len(value) <= _MOST_DIGITS:
            self._touched = True
            self._retry = int(value)

    def _overflow(self, what: str) -> None:
        self._touched = True
        self._data.clear()
        if not self._opaque:
            self._opaque = True
            self.warnings.append(f"event at byte {self._start}: {what} is over the cap of {self._cap} bytes")

    def _dispatch(self, end: int, *, complete: bool) -> ServerSentEvent:
        data = b"" if self._opaque else self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        return ServerSentEvent(self._name, data, self._start, end, self._id, self._retry, complete, self._opaque)
