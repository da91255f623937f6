"""One run of the load generator against one target, and what came of it."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.children import ROOT, clean_environment
from bench.programs import Programs
from bench.targets import Target
from bench.usage import cpu_seconds, pin, rss_mib, waiting_seconds
from bench.workloads import MESSAGE_BYTES, Workload

SETTLE_SECONDS = 0.15
"""After the load: a recorder's last batch counts as part of its cost."""


LOOK_SECONDS = 0.5


class LoadFailed(Exception):
    pass


@dataclass(frozen=True)
class Sample:
    """Times in milliseconds; `rate` in requests or events each second; `cpu` in microseconds for each of them; CPU and
    memory (MiB) are None where the target has no process of its own, or one we may not look at."""

    requests: int
    errors: int
    events: int
    rate: float
    first_p50: float
    first_p99: float
    delay_p50: float
    delay_p99: float
    cpu: float | None
    rss: float | None
    """The most there was while the load ran."""
    rss_track: tuple[float, ...]
    complaint: str
    waited: float | None = None
    """Share of the time in which the target was ready to run and had to wait for its core: others were busy on it."""


class LoadGenerator:
    """Runs on `core`; writes bodies to `directory`."""

    def __init__(self, programs: Programs, directory: Path, headers: list[str], core: int | None) -> None:
        self.programs = programs
        self.directory = directory
        self.headers = headers
        self.core = core

    def body_of(self, workload: Workload) -> Path:
        path = self.directory / f"{workload.name}.json"
        if not path.exists():
            path.write_bytes(workload.make_body())
        return path

    def run(self, target: Target, workload: Workload) -> Sample:
        length = MESSAGE_BYTES if target.exact and not workload.events else 0
        numbers = [workload.connections, workload.seconds, workload.each, workload.events, workload.spread, length]
        place = [target.host, str(target.port), target.path, str(self.body_of(workload))]
        command = [*self.programs.load, *place, *map(str, numbers), *self.headers]
        before = cpu_seconds(target.pid) if target.pid else 0.0
        waited = waiting_seconds(target.pid) if target.pid else 0.0
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE)
        pin(process.pid, self.core)
        track = watch_memory(process, target.pid)
        output, _ = process.communicate()
        if process.returncode:
            raise LoadFailed(f"the load generator ended with {process.returncode} at {target.name}, {workload.name}")
        share = (waiting_seconds(target.pid) - waited) / (time.monotonic() - began) if target.pid else None
        time.sleep(SETTLE_SECONDS)
        used = cpu_seconds(target.pid) - before if target.pid else None
        return replace(sample(json.loads(output), workload, used, track), waited=share)


def watch_memory(process: subprocess.Popen[bytes], pid: int | None) -> list[float]:
    """The target's memory twice a second, and once more when the load has ended; empty without a target of ours."""
    track = []
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
        if pid:
            track.append(rss_mib(pid))
    return track


def sample(result: dict[str, float], workload: Workload, used: float | None, track: list[float]) -> Sample:
    units = int(result["events"] if workload.events else result["requests"])
    return Sample(
        requests=int(result["requests"]),
        errors=int(result["errors"]),
        events=int(result["events"]),
        # No time has passed when the only request failed within a tick of the clock.
        rate=units / result["seconds"] if result["seconds"] else 0.0,
        first_p50=result["first_p50"] / 1e6,
        first_p99=result["first_p99"] / 1e6,
        delay_p50=result["delay_p50"] / 1e6,
        delay_p99=result["delay_p99"] / 1e6,
        cpu=used / units * 1e6 if used is not None and units else None,
        rss=max(track, default=None),
        rss_track=tuple(track),
        complaint=str(result["complaint"]),
    )
