"""What daphne cannot say: an HTTP answer to a websocket handshake. For `manage.py runserver` alone.

Codex goes on by HTTP at once when it gets 426, and tries the websocket again at 403, which is all daphne's own way of
refusing has to offer.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from gateway.api.paths import is_gateway_path

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


def refuse_sockets(answer: Answer) -> None:
    """Let daphne give `answer` (status, headers, body) to handshakes on gateway paths."""
    from daphne.http_protocol import WebRequest

    process = WebRequest.process

    def process_or_refuse(request: Any) -> Any:
        offered = request.requestHeaders.getRawHeaders(b"Upgrade") or [b""]
        path = unquote(request.path.decode("latin-1"))
        if offered[0].lower() != b"websocket" or not is_gateway_path("GET", path):
            return process(request)
        status, headers, body = answer
        request.setResponseCode(status)
        for name, value in headers:
            request.responseHeaders.addRawHeader(name, value)
        request.write(body)
        request.finish()
        return None

    WebRequest.process = process_or_refuse
