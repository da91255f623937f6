"""S-03: what the gateway adds in time, beside the same requests sent straight to the provider."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field

from tests.faults.checker import all_whole, percentile
from tests.faults.client import Connection, LoadClient, Reading, Received
from tests.faults.registry import Failed, require, row
from tests.faults.scene import Scene

MEDIAN_MS, LATE_MS, EVENT_MS = 3.0, 15.0, 5.0
TRIES = 3
EVENT = re.compile(rb'"sent":\s*([\d.]+)[^\n]*\n\n')


@dataclass
class Times:
    """Milliseconds: of each first byte, and of each event from being sent to being read."""

    first: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)


@row(
    "S-03",
    "Beside the same requests sent straight to the provider, at 100 connections, the first byte comes at most 3 ms"
    " later in the median and 15 ms at the 99th percentile, an event of 100 paced streams at most 5 ms later at the"
    " 99th, and no two events arrive as one. In one of three tries: the machine has other things to do.",
    quick=True,
    timed=True,
)
async def beside_the_provider(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        through = scene.client(gateway)
        host, port = scene.provider.url.removeprefix("http://").split(":")
        direct = LoadClient(host, int(port), scene.directory / "direct.jsonl")
        tries = []
        for _ in range(TRIES):
            said, ok = await compared({"direct": direct, "through": through}, scene.pick(20, 100), scene.pick(10, 20))
            tries.append(said)
            if ok:
                await gateway.settle()
                return said
        raise Failed("; ".join(tries))


async def compared(clients: dict[str, LoadClient], connections: int, rounds: int) -> tuple[str, bool]:
    times = {name: Times() for name in clients}
    await asyncio.gather(*(ask_in_turns(clients, times, rounds) for _ in range(connections)))
    for name, client in clients.items():
        await stream(client, times[name], connections)
    through, direct = times["through"], times["direct"]
    median, late = (percentile(through.first, part) - percentile(direct.first, part) for part in (0.5, 0.99))
    event = percentile(through.events, 0.99) - percentile(direct.events, 0.99)
    said = (
        f"first byte later by {median:.2f} ms in the median and {late:.2f} ms at the 99th percentile, an event by"
        f" {event:.2f} ms at the 99th, at {connections} connections"
    )
    return said, median <= MEDIAN_MS and late <= LATE_MS and event <= EVENT_MS


async def ask_in_turns(clients: dict[str, LoadClient], times: dict[str, Times], rounds: int) -> None:
    """One connection to each, used in turn, so that whatever the machine does meets both."""
    connections = {name: Connection(client.host, client.port) for name, client in clients.items()}
    for _ in range(rounds):
        for name, client in clients.items():
            await asyncio.sleep(random.uniform(0.5, 1.0))
            answer = await client.ask(connection=connections[name])
            require(answer.ok, f"{name}: {answer.status} {answer.ending}")
            times[name].first.append((answer.first_byte or 0) * 1000)
    for connection in connections.values():
        connection.close()


async def stream(client: LoadClient, times: Times, count: int) -> None:
    async def one() -> Received:
        await asyncio.sleep(random.uniform(0, 0.2))
        return await client.ask("stamped;ms=200;events=30", reading=Reading(keep=True))

    answers = await asyncio.gather(*(one() for _ in range(count)))
    all_whole(answers, "streams")
    for answer in answers:
        sent = [(found.end(), float(found[1])) for found in EVENT.finditer(answer.body)]
        require(len(answer.arrivals) >= len(sent) == 30, f"{len(sent)} events came in {len(answer.arrivals)} pieces")
        times.events += [(answer.began + came_at(answer, end) - at) * 1000 for end, at in sent]


def came_at(answer: Received, end: int) -> float:
    return next(seconds for seconds, so_far in answer.arrivals if so_far >= end)
