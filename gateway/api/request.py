"""A request to the gateway as the lean handler makes it: raw header pairs, the body read on demand as bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import monotonic
from typing import TYPE_CHECKING, Any

import uuid_utils
from django.http import HttpRequest

from gateway.api.cycle import Cycle
from gateway.api.memory import SMALL, Reservation
from gateway.dialects.names import Dialect

if TYPE_CHECKING:
    from gateway.api.answer_cache import Filling
    from gateway.api.facts import Facts
    from gateway.api.limiting import Limited
    from gateway.api.runtime import Runtime
    from gateway.api.streaming import ExchangeStream

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
HeaderPair = tuple[bytes, bytes]


LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
STEP = 1024 * 1024
"""How much of a body without a length is counted ahead."""


class ClientGone(Exception):
    """The client closed its connection before its request was whole."""


class BodyTooLarge(Exception):
    """The body is larger than TURNLOG_MAX_REQUEST_BYTES."""


class NoMemory(Exception):
    """The body does not fit into the memory this process has left."""


def split_label(path: str) -> tuple[str, str]:
    """(NAME, the rest with its slash) of a path below /t/NAME/; ("", the path) of one that is none."""
    _, _, name, *rest = path.split("/", 3)
    return (name, f"/{rest[0]}") if rest and LABEL.fullmatch(name) else ("", path)


class GatewayRequest(HttpRequest):
    """`HttpRequest` in name and interface for the URLconf and Ninja; nothing of it is computed that nobody asks for."""

    # What most requests never set stands in the class: it costs nothing there.
    label = ""
    """The NAME of a path below /t/NAME/; `path` and `target` are without it."""
    dialect: Dialect = Dialect.ANTHROPIC
    facts: Facts | None = None
    stream: ExchangeStream | None = None
    filling: Filling | None = None
    """Keeps its answer, to be given again."""
    limited: Limited | None = None
    """What it holds of limits and budgets."""
    reservation: Reservation | None = None
    """The memory held for a large body until it was sent on."""
    granted = False
    """It may have a connection to a provider."""
    client_gone = False
    client_stalled = False
    waiting_since = 0.0
    """Monotonic time since when the next part of the body is awaited; 0.0: none is."""
    _identity: uuid_utils.UUID | None = None
    _first_values: dict[bytes, bytes] | None = None
    _task: asyncio.Task[Any] | None = None
    _watcher: asyncio.Task[None] | None = None

    def __init__(self, scope: Scope, receive: Receive, runtime: Runtime) -> None:
        # HttpRequest.__init__ builds form, cookie and META objects that no gateway path reads.
        self.runtime = runtime
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.path_info = self.path
        self.pairs: list[HeaderPair] = scope["headers"]
        self.META = {}
        self.COOKIES = {}
        if self.path.startswith("/t/"):
            self.label, self.path = split_label(self.path)
            self.path_info = self.path
        self._receive = receive
        owner = getattr(receive, "__self__", None)
        self._cycle = owner if isinstance(owner, Cycle) else None
        """The exchange on our own server; None under another one."""

    def identity(self) -> uuid_utils.UUID:
        """The request's UUIDv7, made when it is first asked for: for a relayed request at its admission, whose time the
        id then carries."""
        if self._identity is None:
            self._identity = uuid_utils.uuid7()
            self.scope["turnlog.request_id"] = str(self._identity)
        return self._identity

    @property
    def id_text(self) -> str:
        """The id as it stands in the answer's header, in the log and in the history."""
        self.identity()
        text: str = self.scope["turnlog.request_id"]
        return text

    @property
    def client_address(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def target(self) -> bytes:
        """Path and query exactly as they stood in the request line, after /t/NAME."""
        sent = self.sent_target
        return b"/" + sent.split(b"/", 3)[3] if self.label else sent

    @property
    def sent_target(self) -> bytes:
        """Path and query exactly as they stood in the request line."""
        exact: bytes | None = self.scope.get("turnlog.target")
        if exact is not None:
            return exact
        query: bytes = self.scope["query_string"]
        path: bytes = self.scope["raw_path"]
        return path + b"?" + query if query else path

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; `name` in lower case."""
        if self._first_values is None:
            # Of a name given twice the last one set stands, which is the first one sent.
            self._first_values = dict(reversed(self.pairs))
        return self._first_values.get(name)

    async def read_body(self, limit: int) -> bytes:
        """The whole body; raises BodyTooLarge and NoMemory, before anything is read when the client announced its
        size."""
        announced = self._announced()
        if announced > limit:
            raise BodyTooLarge
        if not self.runtime.memory.fits(announced):
            raise NoMemory
        if self._cycle is not None and self._cycle.has_whole_body and self._cycle.held <= min(SMALL, limit):
            return b"".join(self._cycle.take())
        if announced > SMALL:
            self.reservation = self.runtime.memory.reserve(announced)
        self._task = asyncio.current_task()
        self.runtime.uploads.add(self)
        try:
            chunks = await self._read_chunks(limit, max(announced, SMALL))
        finally:
            self.runtime.uploads.discard(self)
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if self.reservation is not None:
            self.reservation.arrived()
        return body

    def _announced(self) -> int:
        announced = self.header(b"content-length")
        return int(announced) if announced is not None and announced.isdigit() else 0

    async def _read_chunks(self, limit: int, expected: int) -> list[bytes]:
        chunks: list[bytes] = []
        size = 0
        while True:
            self.waiting_since = monotonic()
            pieces, is_last = await self._arrived()
            size += sum(map(len, pieces))
            if size > limit:
                raise BodyTooLarge
            if size > expected:
                expected = self._expect(size)
            chunks += pieces
            if is_last:
                return chunks

    async def _arrived(self) -> tuple[list[bytes], bool]:
        """What came next of the body, and whether that was all."""
        if self._cycle is not None:
            pieces = await self._cycle.arrived()
            if pieces is not None:
                return pieces, not self._cycle.more_body
        else:
            message = await self._receive()
            if message["type"] != "http.disconnect":
                return [message.get("body", b"")], not message.get("more_body", False)
        self.client_gone = True
        raise ClientGone

    def _expect(self, size: int) -> int:
        """A body of unknown size has come this far: how far it may come before this is asked again."""
        if self.reservation is None:
            self.reservation = self.runtime.memory.reserve(0)
        if not self.reservation.grow(size + STEP):
            raise NoMemory
        return size + STEP

    def sent_on(self) -> None:
        """The provider has the body, or never will."""
        if self.reservation is not None:
            self.reservation.release()
            self.reservation = None

    def watch(self) -> None:
        """From here on a client that leaves cancels this request's task, whatever it waits for."""
        self._task = asyncio.current_task()
        cycle = self._cycle
        if cycle is None:
            self._watcher = asyncio.create_task(self._await_disconnect())
        elif cycle.disconnected:
            self._leave()
        else:
            cycle.on_lost = self._leave
            cycle.flow.resume_reading()

    @property
    def way_out(self) -> Callable[[bytes], bool] | None:
        """Writes bytes of the answer to the client's connection at once; False: not now. None: there is no such way."""
        return None if self._cycle is None else self._cycle.write_more

    @property
    def may_end_with_bytes(self) -> bool:
        """The answer's last bytes and its end may be one message. Where a task watches, the watch has to end between
        the two: to it an answer that is whole looks like a client that has left."""
        return self._watcher is None

    def stop_watching(self) -> None:
        if self._cycle is not None:
            self._cycle.on_lost = None
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def end_stalled(self) -> None:
        """The client takes no bytes, or sends none: give it up."""
        self.client_stalled = True
        if self._task is not None:
            self._task.cancel()

    async def _await_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.client_gone = True
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Called once by the handler, however the request ended."""
        self.stop_watching()
        self.sent_on()
        if self.granted:
            self.granted = False
            self.runtime.descriptors.give_back()
        # No ring is left behind: what is only freed by the garbage collector, with all it holds, stays for a while.
        self._task = None
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()
        if self.limited is not None:
            limited, self.limited = self.limited, None
            limited.close(stream.outcome if stream is not None else None)
        if self.filling is not None:
            filling, self.filling = self.filling, None
            filling.close(stream.outcome if stream is not None else None)
