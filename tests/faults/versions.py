"""R-12: the version before and this one live together, over one database and one spool."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from tests.embedded.commands import TREE
from tests.faults.checker import all_whole, nothing_lost
from tests.faults.durability import during
from tests.faults.nemesis import held_postgres
from tests.faults.registry import Failed, require, row
from tests.faults.replays import manage
from tests.faults.scene import Gateway, Scene
from tests.faults.summed_up import rolled_up
from tests.faults.upkeep import LOCK_SECONDS, lock_waits

MIGRATIONS = ("gateway/migrations", "dashboard/migrations")
KINDS = ("text", "tools", "gzip")
APPLIED = "SELECT count(*) FROM django_migrations WHERE app IN ('gateway', 'dashboard')"


@row(
    "R-12",
    "The tables are migrated under load while the version before goes on in them: nobody waits for a lock for more than"
    " a second, no client notices, nothing is lost. Each version loads the spool the other left.",
)
async def two_versions(scene: Scene) -> str:
    before = await asyncio.to_thread(version_before, scene.directory / "before")
    data_dir = scene.directory / "data"
    told: dict[str, Any] = {}
    async with scene.gateway(data_dir, tree=before) as gateway:
        applied = count(gateway)

        async def migrate() -> None:
            began = time.monotonic()
            await manage(gateway, "migrate")
            told["migrate"] = time.monotonic() - began

        with lock_waits(gateway) as waited:
            answers = await during(scene, gateway, scene.pick(20, 200), migrate)
        told["streams"] = all_whole(answers, "streams")
        require(waited[0] <= LOCK_SECONDS, f"somebody waited {waited[0]:.2f} s for a lock")
        new = count(gateway) - applied
        require(new > 0, "there was nothing to migrate")
        await nothing_lost(scene, gateway)
        await leave_a_spool(scene, gateway, data_dir)
    async with scene.gateway(data_dir) as gateway:
        await nothing_lost(scene, gateway)
        await leave_a_spool(scene, gateway, data_dir)
    async with scene.gateway(data_dir, tree=before) as gateway:
        await serve(scene, gateway)
        await nothing_lost(scene, gateway)
        await leave_a_spool(scene, gateway, data_dir)
    async with scene.gateway(data_dir) as gateway:
        await serve(scene, gateway)
        text = await nothing_lost(scene, gateway)
        proved = await manage(gateway, "history", "verify")
        require("problem" not in proved, proved[-300:])
        sums = await rolled_up(gateway)
    return (
        f"{told['streams']}; {new} migrations in {told['migrate']:.1f} s under it, longest wait for a lock"
        f" {waited[0]:.2f} s; {text}; summed up {sums}"
    )


async def serve(scene: Scene, gateway: Gateway) -> None:
    client = scene.client(gateway)
    answers = await client.many(scene.pick(12, 60), lambda number: client.ask(KINDS[number % len(KINDS)]))
    require(all(answer.ok for answer in answers), "a request failed")


async def leave_a_spool(scene: Scene, gateway: Gateway, data_dir: Path) -> None:
    """What is served while PostgreSQL is away lies in the spool when everything is killed."""
    client = scene.client(gateway)
    with held_postgres(data_dir):
        await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
        answers = await client.many(scene.pick(12, 60), lambda number: client.ask(KINDS[number % len(KINDS)]))
        require(all(answer.ok for answer in answers), "a request failed while PostgreSQL was down")
        await gateway.until_status(lambda status: status["in_flight"] == 0, "nothing is in flight")
        await asyncio.sleep(0.5)  # the writer's batch of 100 ms
        await gateway.crash()


def count(gateway: Gateway) -> int:
    with gateway.connect() as connection:
        found = connection.execute(APPLIED).fetchone()
    assert found is not None
    return int(found[0])


def version_before(place: Path) -> Path:
    """The tree as it was before the newest migration, or at the commit TURNLOG_VERSION_BEFORE names."""
    commit = os.environ.get("TURNLOG_VERSION_BEFORE") or f"{newest_migration()}^"
    packed = git("archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(place, filter="data")
    return place


def newest_migration() -> str:
    """The commit that brought it."""
    return git("log", "-1", "--diff-filter=A", "--format=%H", "--", *MIGRATIONS).decode().strip()


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=TREE, capture_output=True)
    if done.returncode:
        raise Failed(f"the version before is not to be had: git {arguments[0]}: {done.stderr.decode()[-200:]}")
    return done.stdout
