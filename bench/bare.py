"""The ceiling: the smallest relay that can be written on the server and the transport Turnlog uses. No Django, no
policy, no recording, no look at the body, no watch on the client.

    python -m bench.bare UPSTREAM     says "listening on http://HOST:PORT" once it does
"""

from __future__ import annotations

import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from gateway.api.protocol import GatewayProtocol
from gateway.upstream.client import UpstreamClient

DROPPED = (b"host", b"connection")


class Relay:
    def __init__(self, upstream: str) -> None:
        self.address = upstream
        self.host = (b"host", urlsplit(upstream).netloc.encode())
        self.client = UpstreamClient()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        chunks, more = [], True
        while more:
            message = await receive()
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        headers = [self.host, *(pair for pair in scope["headers"] if pair[0] not in DROPPED)]
        response = await self.client.send("POST", self.address, scope["turnlog.target"], headers, b"".join(chunks))
        head = {"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw}
        await send(head)
        async for chunk in response.stream:  # type: ignore[union-attr]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            print("listening on http://{}:{}".format(*listener.getsockname()), flush=True)


def main() -> None:
    config = uvicorn.Config(
        Relay(sys.argv[1]), loop="uvloop", http=GatewayProtocol, ws="none", interface="asgi3", lifespan="off",
        log_config=None, access_log=False, proxy_headers=False, server_header=False, date_header=False,
        timeout_keep_alive=90, backlog=2048,
    )  # fmt: skip
    Server(config).run(sockets=[socket.create_server(("127.0.0.1", 0), backlog=2048)])


if __name__ == "__main__":
    main()
