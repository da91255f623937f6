"""A receiver of what we post, webhooks and spans, on loopback: real HTTP, on a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`statuses` are answered one after the other, the last for good; 0 hangs up without an answer. Nothing is answered
    until `go` is set."""

    statuses: list[int] = field(default_factory=lambda: [200])
    location: str = ""
    retry_after: str = ""
    said: bytes = b"ok"
    got: list[Received] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=abcdefghijklmnop"


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Received(self.path, headers, body))
            receiver.go.wait(60)
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            if receiver.location:
                self.send_header("location", receiver.location)
            if receiver.retry_after:
                self.send_header("retry-after", receiver.retry_after)
            self.send_header("content-length", str(len(receiver.said)))
            self.end_headers()
            self.wfile.write(receiver.said)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.go.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
