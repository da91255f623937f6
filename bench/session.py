"""One run: everything is started, every target gets every workload in each round, and the history is checked."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import bodies
from bench.children import announced_port, started
from bench.load import LoadGenerator, Sample
from bench.programs import Programs
from bench.results import Results
from bench.store import Drain, Store, running_store
from bench.targets import BARE, DIRECT, NGINX, OFF, ON, Bench, Target, start_bare, start_nginx, start_turnlog
from bench.usage import cores, pin, rss_mib
from bench.workloads import Workload, burst, json, large

DRAIN_PATIENCE = 120.0
WARM_UP_SECONDS = 0.3
LOADER_SECONDS = 1.5
IDLE_SECONDS = 12.0
"""After the run, before memory is read: what was freed is given back every ten seconds."""
TOUCHED_BYTES = 768 * 1024 * 1024
TOUCHED_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """`targets`: names of those of ours to measure. `upstream_port` 0: a free one."""

    workloads: Sequence[Workload]
    targets: Sequence[str]
    peers: Sequence[Target]
    rounds: int
    upstream_port: int


class Session:
    def __init__(self, targets: list[Target], store: Store | None, generator: LoadGenerator, provider: str) -> None:
        self.targets = targets
        self.store = store
        self.generator = generator
        self.provider = provider
        """Where the fake one listens."""
        self.results = Results(targets=[target.name for target in targets])

    def run(self, plan: Plan) -> Results:
        self.warm_up()
        shared = [workload for workload in plan.workloads if not workload.recorded_only]
        for number in range(plan.rounds):
            for workload in shared:
                # Each round begins with another target, so that none always follows the same one.
                turn = number % len(self.targets)
                for target in self.targets[turn:] + self.targets[:turn]:
                    self.measure(target, workload, f"round {number + 1}/{plan.rounds}")
        for workload in plan.workloads:
            if workload.recorded_only and self.recording is not None:
                self.measure(self.recording, workload, "at the end")
        self.conclude()
        return self.results

    @property
    def recording(self) -> Target | None:
        return next((target for target in self.targets if target.name == ON), None)

    def warm_up(self) -> None:
        """What starts lazily should have started."""
        for target in self.targets:
            for workload in (json(16, WARM_UP_SECONDS), burst(4, WARM_UP_SECONDS)):
                sample = self.generator.run(target, replace(workload, name=f"warm-{workload.name}"))
                self.account(target, sample)

    def measure(self, target: Target, workload: Workload, when: str) -> None:
        if is_large(workload):
            touch_page_cache(self.generator.directory)
        sample = self.generator.run(target, workload)
        self.results.add(workload, target.name, sample)
        tell(f"{when:12} {workload.name:13} {target.name:12} {describe(sample, workload)}")
        self.account(target, sample)

    def account(self, target: Target, sample: Sample) -> Drain | None:
        """Let the loader catch up before anything else is measured, for it shares a core with the load."""
        if target.name != ON or self.store is None:
            return None
        self.results.sent += sample.requests + sample.errors
        drain = self.store.drain(self.results.sent, DRAIN_PATIENCE)
        self.results.drains.append(drain)
        return drain

    def conclude(self) -> None:
        recording = self.recording
        if recording is None or self.store is None:
            return
        assert recording.pid is not None
        for workload in (json(16, LOADER_SECONDS), large("300k", 300_000, 4, LOADER_SECONDS)):
            if workload.name in self.results.workloads:
                self.measure_loader(recording, workload, self.store)
        time.sleep(IDLE_SECONDS)
        self.results.final_rss = rss_mib(recording.pid)
        self.results.status = self.store.status()

    def measure_loader(self, recording: Target, workload: Workload, store: Store) -> None:
        """Let a backlog grow and have the loader work it off with its core for itself."""
        with store.loader_paused():
            sample = self.generator.run(recording, workload)
        drain = self.account(recording, sample)
        if drain is not None and drain.rows:
            self.results.loader[workload.name] = drain
            tell(f"at the end   {workload.name:13} loader       {drain.rows / drain.seconds:11,.0f} turns/s")


def is_large(workload: Workload) -> bool:
    return workload.name.startswith(("300k", "1400k"))


def touch_page_cache(directory: Path) -> None:
    """Have memory used once before it is measured. In a virtual machine the host gives a page at its first use, and
    takes it back when it was free for some seconds, which makes the write of a record cost up to ten times what it does
    else (0.3 ms for 1.4 MB become 2.8)."""
    path = directory / "touched"
    block = bytes(TOUCHED_AT_ONCE)
    with path.open("wb", buffering=0) as file:
        for _ in range(TOUCHED_BYTES // len(block)):
            file.write(block)
    path.unlink()


def describe(sample: Sample, workload: Workload) -> str:
    cpu = "" if sample.cpu is None else f"  {sample.cpu:8.1f} µs"
    waited = "" if sample.waited is None else f"  waited {sample.waited:4.0%}"
    rss = "" if sample.rss is None else f"  {sample.rss:4.0f} MiB"
    wrong = f"  {sample.errors} ERRORS: {sample.complaint}" if sample.errors else ""
    return f"{sample.rate:11,.0f} {workload.unit}/s{cpu}{waited}{rss}{wrong}"


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def prepared(plan: Plan, programs: Programs, directory: Path, cache: Path) -> Iterator[Session]:
    """Everything that runs during the bench, and its end."""
    load_core, target_core, store_core = cores()
    pin(os.getpid(), load_core)
    generator = LoadGenerator(programs, directory, bodies.headers(), load_core)
    with ExitStack() as stack:
        log = directory / "upstream.log"
        command = [*programs.upstream, str(plan.upstream_port)]
        upstream = stack.enter_context(started(command, log, core=load_core))
        bench = Bench(directory, cache, announced_port(upstream, log), target_core)
        tell(f"fake provider on port {bench.upstream}; starting {', '.join(plan.targets)}")
        store = None
        if ON in plan.targets or OFF in plan.targets:
            store = stack.enter_context(running_store(directory, store_core))
            store.lead_abroad(bench.provider)
        targets = [*own_targets(plan, bench, stack, store), *plan.peers]
        yield Session(targets, store, generator, bench.provider)


def own_targets(plan: Plan, bench: Bench, stack: ExitStack, store: Store | None) -> Iterator[Target]:
    for name in plan.targets:
        if name == DIRECT:
            yield Target(DIRECT, "127.0.0.1", bench.upstream)
        elif name == BARE:
            yield start_bare(bench, stack)
        elif name == NGINX:
            found = start_nginx(bench, stack)
            if found is None:
                tell("nginx is not here and cannot be had by apt-get: its column stays empty")
            else:
                yield found
        elif store is not None:
            yield start_turnlog(bench, stack, store, recording=name == ON)
