"""CPU time per request and per stream of our transport beside others, against one fast upstream, in one run.

    python -m bench.transport_micro [--rounds 5] [--clients wire,httpx,aiohttp]

The upstream is another process (a bare asyncio protocol with prepared bytes). CPU time is this process's own, so the
upstream's does not count; the order of the clients turns with each round, and the medians are shown. aiohttp is
measured only where it is installed (it is not a dependency: use a virtual environment of your own). Absolute numbers
belong to the machine; the ratios in one run are what carries over.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe
from typing import Any

import httpx
import uvloop

from gateway.upstream.client import UpstreamClient

EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"'
    + b"x" * 60
    + b'"}}\n\n'
)
HEADERS = [(f"x-header-{index}", f"value {index}") for index in range(15)]
BODY = b"{" + b" " * 1022 + b"}"
EVENTS = 200
ANSWER = b"a" * 2000
Once = Callable[[bytes], Awaitable[int]]


class Upstream(asyncio.Protocol):
    """`/json` gets 2 kB at once; `/stream` gets 200 chunks, each its own write, half a millisecond apart."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank or len(rest) < len(BODY):
            return
        self.buffer = b""
        lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in HEADERS)
        if b" /json " in head:
            length = b"content-length: %d\r\n\r\n" % len(ANSWER)
            self.transport.write(b"HTTP/1.1 200 OK\r\n" + lines + length + ANSWER)
        else:
            self.transport.write(b"HTTP/1.1 200 OK\r\n" + lines + b"transfer-encoding: chunked\r\n\r\n")
            self.send(0)

    def send(self, sent: int) -> None:
        if sent == EVENTS:
            self.transport.write(b"0\r\n\r\n")
            return
        self.transport.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        loop = asyncio.get_running_loop()
        loop.call_later(0.0005, self.send, sent + 1)


def serve(pipe: Pipe) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def with_wire(port: int, measure: Callable[[Once], Awaitable[float]]) -> float:
    client = UpstreamClient()
    address = f"http://127.0.0.1:{port}"
    pairs = [(name.encode(), value.encode()) for name, value in HEADERS]
    pairs += [(b"Host", b"127.0.0.1"), (b"Content-Length", str(len(BODY)).encode())]

    async def once(path: bytes) -> int:
        response = await client.send("POST", address, path, pairs, BODY)
        return sum([len(chunk) async for chunk in response.stream])  # type: ignore[union-attr]

    result = await measure(once)
    await client.aclose()
    return result


async def with_httpx(port: int, measure: Callable[[Once], Awaitable[float]]) -> float:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=httpx.Limits()) as client:

        async def once(path: bytes) -> int:
            async with client.stream("POST", path.decode(), headers=HEADERS, content=BODY) as response:
                return sum([len(chunk) async for chunk in response.aiter_raw()])

        return await measure(once)


async def with_aiohttp(port: int, measure: Callable[[Once], Awaitable[float]]) -> float:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def once(path: bytes) -> int:
            url = f"http://127.0.0.1:{port}{path.decode()}"
            async with session.post(url, headers=HEADERS, data=BODY) as response:
                return sum([len(chunk) async for chunk in response.content.iter_any()])

        return await measure(once)


CLIENTS = {"wire": with_wire, "aiohttp": with_aiohttp, "httpx": with_httpx}


def load(path: bytes, count: int, at_once: int, size: int) -> Callable[[Once], Awaitable[float]]:
    """Measures microseconds of this process's CPU for each request."""

    async def measure(once: Once) -> float:
        async def worker(times: int) -> None:
            for _ in range(times):
                if await once(path) != size:
                    raise RuntimeError("the body is not what the upstream sends")

        await asyncio.gather(*(worker(2) for _ in range(at_once)))
        started = time.process_time()
        await asyncio.gather(*(worker(count // at_once) for _ in range(at_once)))
        return (time.process_time() - started) / (count // at_once * at_once) * 1e6

    return measure


LOADS = {
    "small request, 1 at a time": load(b"/json", 1000, 1, len(ANSWER)),
    "small request, 16 at once": load(b"/json", 1600, 16, len(ANSWER)),
    "stream of 200 events, 8 at once": load(b"/stream", 32, 8, EVENTS * len(EVENT)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", default=",".join(CLIENTS), help="comma list of " + ", ".join(CLIENTS))
    options = parser.parse_args()
    names = [name for name in options.clients.split(",") if name != "aiohttp" or importlib.util.find_spec("aiohttp")]
    ours, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    upstream.start()
    port = ours.recv()
    print("CPU microseconds (median of rounds; in brackets: times the first client)")
    for title, measure in LOADS.items():
        results: dict[str, list[float]] = {name: [] for name in names}
        for round_number in range(options.rounds):
            turn = round_number % len(names)
            for name in names[turn:] + names[:turn]:
                results[name].append(uvloop.run(CLIENTS[name](port, measure)))
        medians = {name: statistics.median(values) for name, values in results.items()}
        line = "   ".join(f"{name} {value:8.1f} ({value / medians[names[0]]:.1f})" for name, value in medians.items())
        print(f"{title:34} {line}", flush=True)
    upstream.terminate()
    upstream.join()


if __name__ == "__main__":
    main()
