"""S-19, S-25, S-26: clocks that jump, a recorder that fails, a loop that is held up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from gateway.recording.counters import DROP_SLOTS, Slot, read_counters
from gateway.recording.series import list_series
from tests.clients.processes import ROOT
from tests.faults.checker import all_whole, nothing_lost, unique
from tests.faults.client import LoadClient
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene, until

POINTS = (
    "admit", "request_body", "patch", "attempt", "response_head", "chunk", "finish", "take", "stub", "writer",
)  # fmt: skip
COUNTED = (Slot.FAULTS, Slot.WRITER_FAULTS, *DROP_SLOTS.values())
MIXED = ("text", "tools", "gzip", "error_500", "slow;ms=2;events=20", "thinking", "big_line;mb=1")
SLOW = re.compile(r"Executing .* took ([\d.]+) seconds")

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
/* The wall clock, moved by the number of seconds that stands in the file CLOCK_OFFSET. */
static long offset(void) {
    long moved = 0;
    FILE *file = fopen(getenv("CLOCK_OFFSET"), "r");
    if (file) { if (fscanf(file, "%ld", &moved) != 1) moved = 0; fclose(file); }
    return moved;
}
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, now);
    if (id == CLOCK_REALTIME) now->tv_sec += offset();
    return done;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


@contextlib.contextmanager
def own_web(gateway: Gateway, directory: Path, *arguments: str, **variables: str):
    """A `web` process of our own beside the gateway's, on its spool and database, with the addresses it listens on."""
    directory.mkdir(exist_ok=True)
    log = directory / "web.log"
    environment = gateway.environment | {"TURNLOG_SUPERVISED": "1", "PYTHONUNBUFFERED": "1", **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.armed_web", *arguments],
            cwd=ROOT, env=environment, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


async def address(process: subprocess.Popen[bytes], log: Path) -> tuple[str, int]:
    def listening() -> re.Match[str] | None:
        require(process.poll() is None, f"web ended: {log.read_text()[-500:]}")
        return re.search(r"listening on http://([\d.]+):(\d+)", log.read_text())

    found = await until(listening, "web listens", 90)
    return found[1], int(found[2])


@row(
    "S-25",
    "A fault in any hook of the recorder or in its writer costs the record, counted, and never the exchange.",
    quick=True,
)
async def recorder_faults(scene: Scene) -> str:
    counted = []
    async with scene.gateway() as gateway:
        for point in POINTS if not scene.quick else ("admit", "chunk", "finish", "writer"):
            with own_web(gateway, scene.directory / point, "--arm", point) as (process, log):
                client = LoadClient(*await address(process, log), scene.directory / f"{point}.jsonl")
                seen = len(scene.seen())
                answers = [await client.ask(scenario) for scenario in ("text", "slow;ms=5;events=40", "gzip")]
                all_whole(answers, f"exchanges with a fault in {point}")
                # The provider writes its book after the last byte of an answer.
                await until(lambda wanted=seen + 3: len(scene.seen()) >= wanted, "the provider noted them", 10)
                sent = {line["response_sha256"] for line in scene.seen()[-3:]}
                require({answer.sha256 for answer in answers} == sent, f"{point}: other bytes came than were sent")

                def noticed(pid: int = process.pid) -> bool:
                    # In its own counters: those of the processes before it go with their series.
                    counters = [read_counters(series) for series in list_series(gateway.spool)]
                    return any(own[slot] for own in counters if own[Slot.PROCESS_ID] == pid for slot in COUNTED)

                # No patch is made without a route that changes the model, so that hook is not passed here.
                if point != "patch":
                    await until(noticed, f"the fault in {point} is counted", 10)
                counted.append(point)
    return f"armed one after the other: {', '.join(counted)}"


@row(
    "S-26",
    "Under asyncio's own watch no callback of the loop takes 50 ms or more on a traffic of all kinds.",
    quick=True,
    timed=True,
)
async def loop_is_free(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        with own_web(gateway, scene.directory / "watched", "--watch-loop", PYTHONASYNCIODEBUG="1") as (process, log):
            client = LoadClient(*await address(process, log), scene.directory / "watched.jsonl")
            for _ in range(3):  # what is loaded on first use is not what this is about
                await client.many(len(MIXED), lambda number: client.ask(MIXED[number]), at_once=2)
            warm = len(log.read_text())
            over = asyncio.Event()
            work = asyncio.create_task(client.keep_asking(over, MIXED, 4, 0.05))
            await asyncio.sleep(scene.pick(5, 30))
            over.set()
            answers = await work
            slow = [float(seconds) for seconds in SLOW.findall(log.read_text()[warm:])]
            broken = [answer for answer in answers if answer.ending != "whole"]
            require(not broken, f"{len(broken)} answers were not whole")
            require("watching the loop" in log.read_text(), "the loop was not watched")
            require(not slow, f"{len(slow)} callbacks took 50 ms or more, up to {max(slow, default=0) * 1000:.0f} ms")
            return f"{len(answers)} exchanges, no callback of 50 ms"


@row(
    "S-19",
    "The wall clock jumps an hour ahead and two back within running streams: durations and times between chunks are"
    " never negative, nothing is lost, sessions of the admin are not touched.",
)
async def clock_jumps(scene: Scene) -> str:
    compiler = shutil.which("cc")
    require(compiler, "cannot be run here: no C compiler to build the moved clock with")
    source, library, moved = (scene.directory / name for name in ("clock.c", "clock.so", "offset"))
    source.write_text(CLOCK)
    moved.write_text("0")
    command = [str(compiler), "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    async with scene.gateway() as gateway:
        variables = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(moved)}
        with own_web(gateway, scene.directory / "moved", **variables) as (process, log):
            client = LoadClient(*await address(process, log), scene.directory / "moved.jsonl")
            scene.clients.append(client)
            asked = [asyncio.create_task(client.ask("slow;ms=50;events=80")) for _ in range(20)]
            for seconds in (3600, -3600):
                await asyncio.sleep(1)
                moved.write_text(str(seconds))
                asked.append(asyncio.create_task(client.ask("slow;ms=20;events=20")))
            answers = await asyncio.gather(*asked)
            whole = all_whole(answers, "streams")
            text = await nothing_lost(scene, gateway)
            rows = unique(await gateway.rows())
            for answer in answers:
                await sane(gateway, rows[answer.id]["id"], answer.seconds)
            await jumped(rows, [answer.id for answer in answers[-2:]], answers[0].id)
        return f"{whole}; {text}"


async def sane(gateway: Gateway, id: str, seconds: float) -> None:
    shown = await asyncio.to_thread(gateway.console.ask, "show", id=id)
    times = [timing["elapsedMs"] for timing in shown["chunk_timings"]]
    require(times == sorted(times) and times[0] >= 0, f"{id}: times between chunks run backwards")
    took = shown["duration_ms"]
    require(0 <= shown["first_byte_ms"] <= took, f"{id}: {json.dumps([shown['first_byte_ms'], took])}")
    require(abs(took / 1000 - seconds) < 2, f"{id}: {took:.0f} ms in the row, {seconds * 1000:.0f} ms at the client")


async def jumped(rows: dict, late: list[str], first: str) -> None:
    """That the clock did move, or this row would show nothing."""
    from datetime import datetime

    began = [datetime.fromisoformat(rows[id]["started_at"]) for id in (first, *late)]
    require((began[1] - began[0]).total_seconds() > 3000, "the clock of web did not jump ahead")
    require((began[2] - began[0]).total_seconds() < -3000, "the clock of web did not jump back")
