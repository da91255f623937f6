"""TLS on the gateway's own port, with real handshakes: who gets in, and that nothing else changes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.api.tls import ListenerTls, WrongCertificate
from proxy_project.environment import WrongEnvironment, load_environment
from proxy_project.production import is_production
from tests.e2e.processes import ROOT, WebProcess, last_request, running_web, until
from tests.gateway.upstream.certificates import make_certificate, trusting
from tests.upstream import FakeProvider

ASKED = {"model": "claude-opus-4-5", "max_tokens": 10, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    return make_certificate(folder)


@pytest.fixture(scope="module")
def web(session_database_url: str, upstreams: dict[str, str], certificate: Path, folder: Path) -> Iterator[WebProcess]:
    variables = {**upstreams, "TURNLOG_TLS_CERTIFICATE_FILE": str(certificate)}
    with running_web(folder, session_database_url, **variables, TURNLOG_TLS_MINIMUM="1.3") as running:
        yield running


@pytest.fixture(scope="module")
def callers(folder: Path) -> Path:
    return make_certificate(folder, host="ada.example", file="callers.pem")


@pytest.fixture(scope="module")
def guarded(
    session_database_url: str, upstreams: dict[str, str], certificate: Path, callers: Path, folder: Path
) -> Iterator[WebProcess]:
    home = folder / "guarded"
    home.mkdir()
    variables = {"TURNLOG_TLS_CERTIFICATE_FILE": str(certificate), "TURNLOG_TLS_CLIENT_CA_FILE": str(callers)}
    with running_web(home, session_database_url, **upstreams, **variables) as running:
        yield running


def post(web: WebProcess, context: ssl.SSLContext) -> httpx.Response:
    with httpx.Client(verify=context, trust_env=False, timeout=20) as client:
        return client.post(f"{web.url}/v1/messages", json=ASKED, headers={"x-api-key": "sk-ant-mine"})


def test_a_stream_passes_over_tls_as_it_does_without(
    web: WebProcess, certificate: Path, provider: FakeProvider
) -> None:
    assert web.url.startswith("https://")
    answer = post(web, trusting(certificate))
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith('{"type":"message_stop"}')
    seen = last_request(provider)
    assert seen.body == answer.request.content


def test_several_requests_use_one_connection_and_pages_know_they_are_safe(web: WebProcess, certificate: Path) -> None:
    with httpx.Client(verify=trusting(certificate), trust_env=False) as client:
        for _ in range(3):
            assert client.get(f"{web.url}/livez").status_code == 200
        page = client.get(f"{web.url}/accounts/login/")
    assert page.status_code == 200
    assert page.headers["strict-transport-security"].startswith("max-age=")
    assert "secure" in page.headers["set-cookie"].lower()


def test_what_is_no_tls_or_too_old_is_refused(web: WebProcess, certificate: Path) -> None:
    with socket.create_connection((web.host, web.port), 10) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            said = plain.recv(1000)
        except ConnectionResetError:
            said = b""
        assert not said.startswith(b"HTTP")
    old = trusting(certificate)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError, match=r"(?i)alert|protocol"):
        post(web, old)


def test_the_answer_before_the_whole_body_came_arrives_over_tls(web: WebProcess, certificate: Path) -> None:
    """Without TLS our side of the connection is ended first, which TLS has no words for."""
    context = trusting(certificate)
    with (
        socket.create_connection((web.host, web.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: {10**12}\r\n\r\n"
        tls.sendall(head.encode() + b"x" * 100_000)
        answer = b""
        while data := tls.recv(65536):
            answer += data
            if b"too large" in answer or b"larger" in answer:
                break
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_selftest_goes_through_our_own_tls(web: WebProcess) -> None:
    command = [sys.executable, "manage.py", "selftest", "--url", web.url]
    done = subprocess.run(command, cwd=ROOT, env=web.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_callers_with_a_certificate_come_in(
    guarded: WebProcess, certificate: Path, callers: Path, provider: FakeProvider
) -> None:
    with pytest.raises(httpx.TransportError):
        post(guarded, trusting(certificate))
    stranger = trusting(certificate)
    stranger.load_cert_chain(make_certificate(guarded.directory, file="stranger.pem"))
    with pytest.raises(httpx.TransportError):
        post(guarded, stranger)
    assert not provider.requests
    known = trusting(certificate)
    known.load_cert_chain(callers)
    assert post(guarded, known).status_code == 200


def test_it_drains_over_tls(guarded: WebProcess, certificate: Path, callers: Path) -> None:
    known = trusting(certificate)
    known.load_cert_chain(callers)
    with httpx.Client(verify=known, trust_env=False) as client:
        assert client.get(f"{guarded.url}/livez").status_code == 200
        guarded.signal(signal.SIGTERM)
        assert guarded.wait() == 0


def handshake(tls: ListenerTls, client: ssl.SSLContext) -> bytes:
    """The certificate that the listener's context shows, both ends in memory."""
    ends = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
    asks = client.wrap_bio(*ends[0], server_hostname="127.0.0.1")
    shows = tls.context.wrap_bio(*ends[1], server_side=True)
    for _ in range(5):
        for end, (_, out), (into, _) in ((asks, ends[0], ends[1]), (shows, ends[1], ends[0])):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            into.write(out.read())
    return asks.getpeercert(binary_form=True) or b""


def replaced(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    later = path.stat().st_mtime + 5
    os.utime(path, (later, later))


def test_a_replaced_certificate_is_shown_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = make_certificate(tmp_path)
    other = make_certificate(tmp_path, file="other.pem")
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    tls = ListenerTls(path)
    first = handshake(tls, anyone)
    replaced(path, b"nothing of use")
    tls.renew()
    assert handshake(tls, anyone) == first
    replaced(path, other.read_bytes())
    tls.renew()
    assert handshake(tls, anyone) not in (first, b"")
    assert handshake(ListenerTls(other), anyone) == handshake(tls, anyone)


@pytest.mark.parametrize("field", ["certificate", "client_ca"])
def test_a_file_that_is_no_certificate_is_named(field: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    files: dict[str, Any] = {"certificate": make_certificate(tmp_path), field: wrong}
    with pytest.raises(WrongCertificate, match=r"wrong\.pem"):
        ListenerTls(**files)


def test_the_variables_belong_together(tmp_path: Path) -> None:
    path = str(make_certificate(tmp_path))
    with pytest.raises(WrongEnvironment, match="TURNLOG_TLS_CLIENT_CA_FILE needs TURNLOG_TLS_CERTIFICATE_FILE"):
        load_environment({"TURNLOG_TLS_CLIENT_CA_FILE": path})
    environment = load_environment({"TURNLOG_TLS_CERTIFICATE_FILE": path})
    assert environment.base_url.startswith("https://")
    assert is_production(environment)


def test_a_wrong_certificate_refuses_the_start_in_plain_words(tmp_path: Path, session_database_url: str) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    web = WebProcess(tmp_path, session_database_url, TURNLOG_TLS_CERTIFICATE_FILE=str(wrong))
    with pytest.raises(AssertionError, match="cannot be used as certificate and key"):
        web.start()
    assert until(lambda: "Traceback" not in web.output)
