"""R-09, R-11 and R-15: a spool that is damaged, one that is read again, and records that cannot be stored."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.clients.processes import ROOT
from tests.faults.checker import nothing_lost, unique
from tests.faults.client import STREAM_BODY
from tests.faults.nemesis import held_postgres
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene
from tests.faults.summed_up import rolled_up

SUMS = """
SELECT count(*), sum(status_code), sum(request_bytes), sum(response_bytes), sum(input_tokens), sum(output_tokens),
       sum(cost_usd),
       (SELECT count(*) FROM gateway_storedbody), (SELECT count(*) FROM gateway_chunktiming),
       (SELECT count(*) FROM gateway_headerrecord), (SELECT count(*) FROM gateway_ratelimitsample)
FROM gateway_requestlog JOIN gateway_responselog USING (id)
"""


async def crashed_with_a_spool(scene: Scene, data_dir: Path, count: int) -> Path:
    """A gateway that died with everything in its spool; returns a copy of that spool."""
    async with scene.gateway(data_dir) as gateway:
        client = scene.client(gateway)
        with held_postgres(data_dir):
            await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
            answers = await client.many(count, lambda number: client.ask(("text", "tools", "gzip")[number % 3]))
            require(all(answer.ok for answer in answers), "a request failed while PostgreSQL was down")
            await gateway.until_status(lambda status: status["in_flight"] == 0, "nothing is in flight")
            await asyncio.sleep(0.5)  # the writer's batch of 100 ms
            await gateway.crash()
    copy = data_dir.with_name(data_dir.name + "-spool")
    shutil.copytree(data_dir / "spool", copy)
    return copy


@row(
    "R-09",
    "A spool cut short or damaged at any place: every record that is intact is stored, what is not goes to the"
    " quarantine, and the loader goes on.",
)
async def torn_spool(scene: Scene) -> str:
    data_dir = scene.directory / "data"
    copy = await crashed_with_a_spool(scene, data_dir, 30)
    async with scene.gateway(data_dir) as gateway:
        text = await nothing_lost(scene, gateway)
        gateway.balance.stop()
        command = [sys.executable, "-m", "tests.faults.torn_spool", str(copy), str(scene.pick(60, 1000))]
        environment = gateway.environment | {"TURNLOG_SUPERVISED": "1"}
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True
        )
        require(done.returncode == 0, f"damaged spools: {(done.stdout + done.stderr)[-600:]}")
        return f"{text}; {done.stdout.strip()}"


def sums(gateway: Gateway) -> tuple[Any, ...]:
    with gateway.connect() as connection:
        found = connection.execute(SUMS).fetchone()
    assert found is not None
    return tuple(found)


@row(
    "R-11",
    "The whole spool is delivered again, twice, and in another order: counts, bytes, tokens, costs, rows, and the sums"
    " by hour and day stay as they were.",
)
async def delivered_again(scene: Scene) -> str:
    data_dir = scene.directory / "data"
    copy = await crashed_with_a_spool(scene, data_dir, scene.pick(60, 300))
    found = []
    for number in range(3):
        if number:
            deliver(copy, data_dir / "spool", reverse=number == 2)
        async with scene.gateway(data_dir) as gateway:
            text = await nothing_lost(scene, gateway)
            found.append((*await asyncio.to_thread(sums, gateway), *await rolled_up(gateway)))
    require(found[0] == found[1] == found[2], f"the sums changed: {found}")
    return f"{text}; sums {found[0]} three times"


def deliver(copy: Path, spool: Path, *, reverse: bool) -> None:
    for place in sorted(copy.iterdir(), reverse=reverse):
        if place.is_dir() and not (spool / place.name).exists():
            shutil.copytree(place, spool / place.name)


@row(
    "R-15",
    "A record that cannot be stored becomes a dead letter with its reason, the rest flows, and replaying it, twice,"
    " stores it once.",
)
async def poison(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        bar = "ALTER TABLE gateway_requestlog {} CONSTRAINT no_poison {}"
        with gateway.connect() as connection:
            connection.execute(bar.format("ADD", "CHECK (requested_model <> 'poison') NOT VALID"))
        poisoned = [await client.ask(body=STREAM_BODY.replace(b"claude-opus-5-5", b"poison")) for _ in range(3)]
        others = await client.many(30, lambda _: client.ask())
        require(all(answer.ok for answer in (*poisoned, *others)), "a request failed")
        status = await gateway.until_status(lambda s: s["dead_letters"] == 3, "three dead letters", 60)
        require(status["dropped"] == {"dead_letter": 3}, f"counted as {status['dropped']}")
        letters = json.loads(await manage(gateway, "deadletters", "list", "--json"))
        require(all("no_poison" in letter["reason"] for letter in letters), f"the reason is not given: {letters[:1]}")
        require(len(unique(await gateway.rows())) == 30, "the rest did not flow")
        with gateway.connect() as connection:
            connection.execute(bar.format("DROP", ""))
        await manage(gateway, "deadletters", "replay", "--all")
        before = await asyncio.to_thread(sums, gateway)
        await manage(gateway, "deadletters", "replay", "--all")
        require(before == await asyncio.to_thread(sums, gateway), "replaying twice changed the sums")
        return await nothing_lost(scene, gateway)


async def manage(gateway: Gateway, *arguments: str) -> str:
    """A real `manage.py` command beside the running gateway; its standard output."""
    command = [sys.executable, "manage.py", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=gateway.environment, capture_output=True, text=True
    )
    require(done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stderr[-400:]}")
    return done.stdout
