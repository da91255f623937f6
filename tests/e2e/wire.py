"""A client that writes raw bytes and reads what comes, so that tests see the wire and not a library's view of it."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from tests.e2e.processes import WebProcess

Pairs = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """`whole`: the message ended as its framing says, not with the connection. Names as they came."""

    status: int = 0
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    whole: bool = False
    interim: list[int] = field(default_factory=list)

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def pairs(self) -> Pairs:
        return [(name.lower(), value) for name, value in self.headers]


class Wire:
    """One connection to the gateway."""

    def __init__(self, web: WebProcess, timeout: float = 10, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect((web.host, web.port))
        except OSError:
            self.socket.close()
            raise
        self.host = f"{web.host}:{web.port}".encode()
        self.buffer = b""
        self.over = False

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, method: str, target: bytes, headers: Pairs = [], body: bytes = b"", version: str = "1.1") -> None:  # noqa: B006
        """Host is added, and Content-Length when there is a body and no framing among the headers."""
        names = {name.lower() for name, _ in headers}
        lines = [b"%s %s HTTP/%s" % (method.encode(), target, version.encode())]
        if b"host" not in names:
            lines.append(b"Host: " + self.host)
        lines += [name + b": " + value for name, value in headers]
        if body and not names & {b"content-length", b"transfer-encoding"}:
            lines.append(b"Content-Length: %d" % len(body))
        self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def fill(self) -> bool:
        """Read once more; False when the connection has ended."""
        if self.over:
            return False
        try:
            data = self.socket.recv(262144)
        except ConnectionError:
            data = b""
        self.over = not data
        self.buffer += data
        return bool(data)

    def take(self, size: int) -> bytes:
        while len(self.buffer) < size and self.fill():
            pass
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer and self.fill():
            pass
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def head(self) -> Answer:
        """The final head, after any interim ones."""
        answer = Answer()
        while True:
            status = self.line().split(b" ", 2)
            assert len(status) >= 2, "the connection ended before an answer began"
            answer.status = int(status[1])
            answer.headers = []
            while line := self.line():
                name, _, value = line.partition(b":")
                answer.headers.append((name, value.strip()))
            if answer.status >= 200:
                return answer
            answer.interim.append(answer.status)

    def answer(self, method: str = "POST") -> Answer:
        answer = self.head()
        self.body(answer, method)
        return answer

    def body(self, answer: Answer, method: str = "POST") -> None:
        length = answer.header(b"content-length")
        if method == "HEAD" or answer.status in (204, 304):
            answer.whole = True
        elif answer.header(b"transfer-encoding") == b"chunked":
            self.chunks(answer)
        elif length is not None:
            answer.body = self.take(int(length))
            answer.whole = len(answer.body) == int(length)
        else:
            while self.fill():
                pass
            answer.body, self.buffer = self.buffer, b""

    def chunks(self, answer: Answer) -> None:
        parts = []
        while line := self.line():
            size = int(line, 16)
            if size == 0:
                answer.whole = self.line() == b"" and not self.over
                break
            part = self.take(size)
            parts.append(part)
            if len(part) < size or self.take(2) != b"\r\n":
                break
        answer.body = b"".join(parts)

    def ended(self) -> bool:
        """Whether the gateway has closed, within the socket's timeout."""
        try:
            while self.fill():
                pass
        except TimeoutError:
            return False
        return True


def ask(web: WebProcess, method: str, target: str, headers: Pairs = [], body: bytes = b"") -> Answer:  # noqa: B006
    """One request on a connection of its own."""
    with Wire(web) as wire:
        wire.request(method, target.encode(), headers, body)
        return wire.answer(method)
