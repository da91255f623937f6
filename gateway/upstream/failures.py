"""What can go wrong between us and a provider: httpx's classes, with the phase and a reason a person understands.

httpx.ConnectError         Unreachable          connect   refused, no such name, TLS refused
httpx.ConnectTimeout       ConnectTimedOut      connect
httpx.WriteTimeout         WriteTimedOut        write     the provider takes no bytes
httpx.WriteError           WriteBroken          write     the connection broke during the upload
httpx.ReadTimeout          HeadersTimedOut      headers   no status line in time
httpx.ReadTimeout          BodyTimedOut         body      silence inside the answer
httpx.ReadError            ReadBroken           headers, body   the connection was reset
httpx.RemoteProtocolError  BrokenAnswer         headers, body   closed too early, or not HTTP
httpx.LocalProtocolError   UnsendableRequest    write     a line break inside a header or the target
"""

from __future__ import annotations

import socket
import ssl
from typing import Literal

from gateway.upstream.client import httpx

Phase = Literal["connect", "write", "headers", "body"]


class UpstreamFailure(Exception):
    """Base of them all; each subclass is also one of httpx's.

    `reused` is true when the connection had carried an earlier request: a failure in phase headers may then only mean
    that the provider had closed it meanwhile. `unseen` is true when it is known that the provider had closed the
    connection before anything of the request reached it: whoever sends it again sends it for the first time.
    """

    phase: Phase
    reason: str
    reused: bool = False
    unseen: bool = False

    def __init__(self, reason: str, phase: Phase) -> None:
        super().__init__(reason)
        self.reason = reason
        self.phase = phase


class Unreachable(UpstreamFailure, httpx.ConnectError):
    pass


class ConnectTimedOut(UpstreamFailure, httpx.ConnectTimeout):
    pass


class WriteTimedOut(UpstreamFailure, httpx.WriteTimeout):
    pass


class WriteBroken(UpstreamFailure, httpx.WriteError):
    pass


class HeadersTimedOut(UpstreamFailure, httpx.ReadTimeout):
    pass


class BodyTimedOut(UpstreamFailure, httpx.ReadTimeout):
    pass


class ReadBroken(UpstreamFailure, httpx.ReadError):
    pass


class BrokenAnswer(UpstreamFailure, httpx.RemoteProtocolError):
    pass


class UnsendableRequest(UpstreamFailure, httpx.LocalProtocolError):
    pass


DNS_REASONS: dict[int | None, str] = {
    socket.EAI_NONAME: "DNS: name not known",
    socket.EAI_AGAIN: "DNS: no answer from the name server",
    socket.EAI_FAIL: "DNS: the name server failed",
}


def connect_reason(problem: BaseException) -> str:
    """The cause of a failed connect in a few words."""
    if isinstance(problem, socket.gaierror):
        return DNS_REASONS.get(problem.errno, f"DNS: {problem.strerror}")
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"TLS: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError):
        return f"TLS: {(problem.reason or str(problem)).replace('_', ' ').lower()}"
    if isinstance(problem, ConnectionRefusedError):
        return "connection refused"
    if isinstance(problem, ConnectionResetError):
        return "connection reset while connecting"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror.lower()
    return str(problem) or type(problem).__name__
