"""A provider closes an idle connection in the very moment in which it is used again."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from gateway.upstream.connection import Connection
from gateway.upstream.failures import UpstreamFailure
from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker, body_of
from tests.upstream import FakeProvider

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = b"x" * 3_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what was acknowledged")


class Closing:
    """Answers one request a connection, reads it whole, and closes when it is told: at once, in the kernel."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open: list[socket.socket] = []
        self.requests = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self._read(connection)
            self.requests += 1
            self.open.append(connection)
            connection.sendall(ANSWER)

    def _read(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65_536)

    def close(self) -> None:
        while self.open:
            self.open.pop().close()


@pytest.fixture
def closing() -> Iterator[Closing]:
    server = Closing()
    yield server
    server.listener.close()
    server.close()


@pytest.fixture(autouse=True)
def _rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.upstream.connection.RESTED_SECONDS", 0.0)


@pytest.mark.parametrize("body", [b"{}", LARGE], ids=["small", "large"])
async def test_the_request_that_meets_it_is_sent_once_on_a_new_connection(
    transport: WireTransport, closing: Closing, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    # Between the look into the socket and the write there is a moment, which no test can hit.
    monkeypatch.setattr(Connection, "is_reusable", lambda connection: True)
    ask = Asker(transport, closing.url)
    for number in range(1, 6):
        response = await ask(body=body)
        assert await body_of(response) == b"ok"
        assert closing.requests == number
        assert not response.extensions["wire"].reused
        closing.close()


@pytest.mark.parametrize("scenario", ["close_before_headers", "rst_before_headers"])
async def test_a_request_that_the_provider_has_taken_is_not_sent_again(
    ask: Asker, provider: FakeProvider, scenario: str
) -> None:
    await body_of(await ask())
    with pytest.raises(UpstreamFailure) as failed:
        await ask(scenario)
    assert failed.value.reused
    assert not failed.value.unseen
    assert len(provider.requests) == 2


async def test_where_nothing_is_known_nothing_is_sent_again(
    transport: WireTransport, closing: Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "is_reusable", lambda connection: True)
    monkeypatch.setattr("gateway.upstream.acknowledged.TCP_INFO", None)
    ask = Asker(transport, closing.url)
    await body_of(await ask())
    closing.close()
    with pytest.raises(httpx.TransportError):
        await ask()
    assert closing.requests == 1
