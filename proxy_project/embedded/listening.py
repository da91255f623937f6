"""The listening socket. The supervisor owns it: while a `web` process is started again, clients wait."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl

import psutil

BACKLOG = 2048


class CannotListen(RuntimeError):
    """The address cannot be had; the message says why and the mend."""


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the first address of `host`; a port of 0 takes a free one. Raises CannotListen."""
    try:
        family, _, _, _, address = first_address(host, port)
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListen(f"TURNLOG_HOST={host} is not an address of this machine: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(why_not(host, port, error)) from None
    return listener


def first_address(host: str, port: int) -> tuple[int, int, int, str, tuple[str | int, ...]]:
    """IPv4 first: that is what `localhost` means to most clients."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return min(found, key=lambda entry: entry[0] != socket.AF_INET)  # type: ignore[return-value]


def why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken{by_whom(port)}: stop that, or choose another port, "
            f"such as TURNLOG_PORT={port + 1 if port < 65535 else port - 1}"
        )
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights than this user has: choose one above 1023 with TURNLOG_PORT"
    return f"TURNLOG_HOST={host} cannot be listened on: {os.strerror(error.errno or 0)}"


def by_whom(port: int) -> str:
    """The process that listens, when this user may know it."""
    try:
        for connection in psutil.net_connections("tcp"):
            here = connection.laddr[1] if connection.laddr else None
            if connection.status == psutil.CONN_LISTEN and here == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""


def answers(listener: socket.socket, seconds: float, *, tls: bool = False) -> bool:
    """Whether `GET /livez` on the socket's address is answered within `seconds`. With `tls` a refusal of our missing
    certificate is an answer, too."""
    host, port = listener.getsockname()[:2]
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(loopback, port, timeout=seconds)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is our own socket
        connection = http.client.HTTPSConnection(loopback, port, timeout=seconds, context=context)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except ssl.SSLError as error:
        return tls and "ALERT" in (error.reason or "")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
