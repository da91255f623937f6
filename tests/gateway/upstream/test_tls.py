"""TLS to the provider: verified always, with a clear reason when refused, and exact about where a body ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.upstream.failures import BrokenAnswer, Unreachable, WriteTimedOut
from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker, body_of, broken_body
from tests.gateway.upstream.certificates import make_certificate, server_side, trusting
from tests.upstream import FakeProvider


async def test_a_trusted_certificate_is_accepted_and_the_connection_used_again(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path)
    async with FakeProvider(tls=server_side(pem)) as provider:
        transport = WireTransport(trusting(pem))
        ask = Asker(transport, provider.url)
        for scenario in ("text", "split_every;n=5", "big_line;mb=2", "gzip"):
            body = await body_of(await ask(scenario))
            await provider.answered(len(provider.requests))
            assert body == provider.responses[-1].body
        assert provider.connection_count == 1
        await transport.aclose()
        await provider.until(lambda: provider.open_connections == 0)


async def test_a_large_upload_arrives_whole_over_tls(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path)
    async with FakeProvider(tls=server_side(pem)) as provider:
        transport = WireTransport(trusting(pem))
        body = bytes(range(256)) * 4096 * 8
        await body_of(await Asker(transport, provider.url)("echo", body=body))
        assert provider.requests[0].body == body
        with pytest.raises(WriteTimedOut):
            await Asker(transport, provider.url)("no_read", body=bytes(32_000_000), write=0.4)
        await transport.aclose()
        await provider.until(lambda: provider.open_connections == 0)


REFUSED = [
    pytest.param({"days_left": -2}, True, "TLS: certificate has expired", id="expired"),
    pytest.param({"host": "api.example"}, True, "TLS: IP address mismatch", id="for another host"),
    pytest.param({}, False, "TLS: self-signed certificate", id="of nobody we trust"),
]


@pytest.mark.parametrize(("certificate", "is_trusted", "reason"), REFUSED)
async def test_a_certificate_that_does_not_hold_is_refused_with_its_reason(
    tmp_path: Path, certificate: dict[str, int | str], is_trusted: bool, reason: str
) -> None:
    pem = make_certificate(tmp_path, **certificate)
    async with FakeProvider(tls=server_side(pem)) as provider:
        transport = WireTransport(trusting(pem) if is_trusted else None)
        with pytest.raises(Unreachable) as caught:
            await Asker(transport, provider.url)()
        assert caught.value.phase == "connect"
        assert reason in caught.value.reason
        assert not provider.requests
        await transport.aclose()


async def test_a_provider_that_speaks_no_tls_is_refused_with_a_reason() -> None:
    def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="TLS: wrong version number"):
        await Asker(WireTransport(), f"https://127.0.0.1:{port}")()
    server.close()


async def test_the_servers_name_goes_out_as_sni_and_is_checked(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path, host="localhost")
    names: list[str] = []
    context = server_side(pem)
    context.sni_callback = lambda _tls, name, _context: names.append(name)
    async with FakeProvider(tls=context) as provider:
        transport = WireTransport(trusting(pem))
        await body_of(await Asker(transport, provider.url.replace("127.0.0.1", "localhost"))())
        await transport.aclose()
    assert names == ["localhost"]


async def test_the_store_that_ssl_cert_file_names_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with FakeProvider(tls=server_side(pem)) as provider:
        transport = WireTransport()
        await body_of(await Asker(transport, provider.url)())
        await transport.aclose()


def end_properly(tls: ssl.SSLSocket) -> None:
    tls.unwrap().close()


def end_with_fin_only(tls: ssl.SSLSocket) -> None:
    socket.socket(fileno=tls.detach()).close()


@contextmanager
def unsized_answer(context: ssl.SSLContext, end: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A blocking server for one answer without a length, because asyncio cannot leave out the close_notify."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        accepted, _ = listener.accept()
        tls = context.wrap_socket(accepted, server_side=True)
        tls.recv(65536)
        tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        end(tls)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(5)
        listener.close()


async def test_a_body_without_length_ends_cleanly_with_close_notify(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path)
    transport = WireTransport(trusting(pem))
    with unsized_answer(server_side(pem), end_properly) as url:
        assert await body_of(await Asker(transport, url)()) == b"until the end"
        await asyncio.sleep(0)


async def test_a_body_without_length_and_without_close_notify_was_cut(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path)
    transport = WireTransport(trusting(pem))
    with unsized_answer(server_side(pem), end_with_fin_only) as url:
        body, failure = await broken_body(await Asker(transport, url)())
    assert body == b"until the end"
    assert isinstance(failure, BrokenAnswer)
    assert failure.reason == "TLS: closed without saying so"
