"""The fake provider of `c/upstream.c` for machines without a C compiler: same command line, same answers, slower."""

from __future__ import annotations

import asyncio
import re
import sys
from time import monotonic_ns
from typing import Any

import uvloop

MESSAGE_BYTES = 2000
HEADERS = (
    b"request-id: req_bench\r\nanthropic-organization-id: bench\r\n"
    b"anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n"
)
OPENING = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_bench","type":"message",'
    b'"role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,'
    b'"usage":{"input_tokens":25,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"@%04d@%016x@aaaaaaaaaaaaaaaaa"}}\n\n'
)
ENDING = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":200}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CHAT_HEAD = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795230250,"model":"bench","choices":'
)
CHAT_OPENING = CHAT_HEAD + b'[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
CHAT_EVENT = (
    CHAT_HEAD.replace(b"%", b"%%")
    + b'[{"index":0,"delta":{"content":"@%04d@%016x@aaaaaaaaaaaaaaaaa"},"logprobs":null,"finish_reason":null}]}\n\n'
)
CHAT_ENDING = (
    CHAT_HEAD
    + b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    + CHAT_HEAD
    + b'[],"usage":{"prompt_tokens":25,"completion_tokens":200,"total_tokens":225}}\n\ndata: [DONE]\n\n'
)
MESSAGES, CHAT = (OPENING, EVENT, ENDING), (CHAT_OPENING, CHAT_EVENT, CHAT_ENDING)
WANTED = re.compile(rb"bench-stream-(\d+)-(\d+)")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def message() -> bytes:
    start = (
        b'{"id":"msg_bench","type":"message","role":"assistant","model":"bench","stop_reason":"end_turn",'
        b'"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":400},"content":[{"type":"text","text":"'
    )
    body = start.ljust(MESSAGE_BYTES - 4, b"a") + b'"}]}'
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
        HEADERS,
        len(body),
        body,
    )


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.received = bytearray()
        self.said = MESSAGES

    def data_received(self, data: bytes) -> None:
        self.received += data
        size = self.received.find(b"\r\n\r\n") + 4
        if size < 4:
            return
        length = LENGTH.search(self.received, 0, size)
        if len(self.received) < size + (int(length[1]) if length else 0):
            return
        wanted = WANTED.search(self.received, size)
        self.said = CHAT if b"/chat/completions" in self.received[:size] else MESSAGES
        self.received = bytearray()
        if wanted is None:
            self.transport.write(MESSAGE)
        else:
            self.stream(int(wanted[1]), int(wanted[2]) / 1e6)

    def stream(self, events: int, gap: float) -> None:
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n%b"
            b"transfer-encoding: chunked\r\n\r\n%b" % (HEADERS, chunk(self.said[0]))
        )
        self.send(0, events, gap, asyncio.get_running_loop().time())

    def send(self, sent: int, events: int, gap: float, began: float) -> None:
        if self.transport.is_closing():
            return
        if sent == events:
            self.transport.write(chunk(self.said[2]) + b"0\r\n\r\n")
            return
        self.transport.write(chunk(self.said[1] % (sent, monotonic_ns())))
        asyncio.get_running_loop().call_at(began + gap * (sent + 1), self.send, sent + 1, events, gap, began)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


MESSAGE = message()

if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
