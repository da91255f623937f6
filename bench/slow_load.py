"""The load generator of `c/load.c` for machines without a C compiler: same command line and output, slower."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from typing import Any

import httptools
import uvloop

MARK = b"########"
STAMP = re.compile(rb"@(\d{4})@([0-9a-f]{16})@")
STAMP_BYTES = 23
WORST_ERRORS = 200
DRAIN_SECONDS = 60


@dataclass
class Totals:
    requests: int = 0
    errors: int = 0
    bytes: int = 0
    events: int = 0
    first: list[int] = field(default_factory=list)
    total: list[int] = field(default_factory=list)
    delay: list[int] = field(default_factory=list)
    complaint: str = ""


class Connection(asyncio.Protocol):
    """One answer after another; `done` is set when the present one is whole or the connection is gone."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.done = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self, request: bytes) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.whole = False
        self.began, self.first, self.size = monotonic_ns(), 0, 0
        self.tail, self.stamps = b"", []
        self.done.clear()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.first = self.first or monotonic_ns()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.done.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set()

    def on_body(self, data: bytes) -> None:
        self.size += len(data)
        if not self.load.events:
            return
        now, text = monotonic_ns(), self.tail + data
        last = 0
        for stamp in STAMP.finditer(text):
            self.stamps.append(int(stamp[1]))
            self.load.totals.delay.append(now - int(stamp[2], 16))
            last = stamp.end()
        self.tail = text[max(last, len(text) - STAMP_BYTES + 1) :]

    def on_message_complete(self) -> None:
        self.whole = True
        self.done.set()


class Load:
    def __init__(self, arguments: list[str]) -> None:
        host, port, target, body, connections, seconds, each, events, spread, length, *headers = arguments
        self.host, self.port = host, int(port)
        self.connections, self.seconds, self.each = int(connections), float(seconds), int(each)
        self.events, self.spread, self.length = int(events), int(spread) / 1e6, int(length)
        content = Path(body).read_bytes()
        lines = [f"POST {target} HTTP/1.1", f"host: {host}:{port}", *headers, f"content-length: {len(content)}"]
        self.before, self.mark, self.after = ("\r\n".join(lines).encode() + b"\r\n\r\n" + content).partition(MARK)
        self.sequence = monotonic_ns() // 1000
        self.totals = Totals()

    def request(self) -> bytes:
        self.sequence += 1
        return self.before + (b"%08d" % (self.sequence % 100_000_000) if self.mark else b"") + self.after

    async def run(self) -> float:
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(self.seconds + DRAIN_SECONDS):
            await asyncio.gather(*(self.work(began, number) for number in range(self.connections)))
        return asyncio.get_running_loop().time() - began

    async def work(self, began: float, number: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.spread * number / self.connections)
        connection: Connection | None = None
        asked = 0
        while loop.time() < began + self.seconds and not (self.each and asked >= self.each):
            if connection is None or connection.transport.is_closing():
                _, connection = await loop.create_connection(lambda: Connection(self), self.host, self.port)
            connection.ask(self.request())
            asked += 1
            await connection.done.wait()
            self.judge(connection)
            if self.totals.errors > WORST_ERRORS:
                break
        if connection is not None:
            connection.transport.close()

    def judge(self, answer: Connection) -> None:
        totals = self.totals
        totals.bytes += answer.size
        totals.events += len(answer.stamps)
        right = (
            answer.stamps == list(range(self.events)) if self.events else answer.size == (self.length or answer.size)
        )
        status = answer.parser.get_status_code()
        if not (answer.whole and status == 200 and right):
            totals.errors += 1
            totals.complaint = totals.complaint or f"status {status}, {answer.size} bytes, {len(answer.stamps)} events"
            return
        totals.requests += 1
        totals.first.append(answer.first - answer.began)
        totals.total.append(monotonic_ns() - answer.began)


def summary(totals: Totals, seconds: float) -> dict[str, Any]:
    result: dict[str, Any] = {name: getattr(totals, name) for name in ("requests", "errors", "bytes", "events")}
    for name in ("first", "total", "delay"):
        values = sorted(getattr(totals, name)) or [0]
        result[f"{name}_p50"] = values[len(values) // 2]
        result[f"{name}_p99"] = values[len(values) - 1 - len(values) // 100]
    return result | {"seconds": seconds, "complaint": totals.complaint}


if __name__ == "__main__":
    load = Load(sys.argv[1:])
    print(json.dumps(summary(load.totals, uvloop.run(load.run()))))
