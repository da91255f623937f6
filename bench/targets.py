"""What is measured: nothing in between, nginx, the bare relay, Turnlog without and with recording, and peers."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench import nginx
from bench.children import announced_port, free_port, started, wait_listening
from bench.store import Store
from bench.usage import listener_of, pin

DIRECT, NGINX, BARE, OFF, ON = "direct", "nginx", "bare", "turnlog-off", "turnlog"
OWN = (DIRECT, NGINX, BARE, OFF, ON)
PATH = "/v1/messages"


@dataclass(frozen=True)
class Target:
    """`pid`: whose CPU time and memory count, with all below it. `exact`: it must answer with the provider's bytes;
    a peer that translates need not."""

    name: str
    host: str
    port: int
    path: str = PATH
    pid: int | None = None
    exact: bool = True


@dataclass(frozen=True)
class Bench:
    """What targets are started with. `upstream`: the fake provider's port."""

    directory: Path
    cache: Path
    upstream: int
    core: int | None

    @property
    def provider(self) -> str:
        return f"http://127.0.0.1:{self.upstream}"


def start_nginx(bench: Bench, stack: ExitStack) -> Target | None:
    program = nginx.find_nginx(bench.cache)
    if program is None:
        return None
    port = free_port()
    directory = bench.directory / "nginx"
    configuration = nginx.configure(directory, port, bench.upstream)
    log = bench.directory / "nginx.log"
    command = [str(program), "-p", str(directory), "-c", str(configuration), "-e", str(directory / "nginx.log")]
    process = stack.enter_context(started(command, log, core=bench.core))
    wait_listening(process, log, port)
    # Its worker was forked before or after the first call; this one is certain.
    pin(process.pid, bench.core)
    return Target(NGINX, "127.0.0.1", port, pid=process.pid)


def start_bare(bench: Bench, stack: ExitStack) -> Target:
    log = bench.directory / "bare.log"
    command = [sys.executable, "-m", "bench.bare", bench.provider]
    process = stack.enter_context(started(command, log, core=bench.core))
    return Target(BARE, "127.0.0.1", announced_port(process, log), pid=process.pid)


def start_turnlog(bench: Bench, stack: ExitStack, store: Store, *, recording: bool) -> Target:
    name = ON if recording else OFF
    log = bench.directory / f"{name}.log"
    command = [sys.executable, *(["manage.py", "web"] if recording else ["-m", "bench.unrecorded"]), "--port", "0"]
    environment = store.environment(TURNLOG_ANTHROPIC_URL=bench.provider)
    if not recording:
        # The place of its own keeps the two from sharing a spool.
        environment["TURNLOG_DATA_DIR"] = str(bench.directory / "unrecorded")
    process = stack.enter_context(started(command, log, core=bench.core, environment=environment))
    return Target(name, "127.0.0.1", announced_port(process, log), pid=process.pid)


def peer(text: str) -> Target:
    """`NAME=URL`; raises ValueError. Without a path in the URL, requests go to /v1/messages."""
    name, _, url = text.partition("=")
    parts = urlsplit(url)
    if not name or parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"not NAME=http://HOST:PORT: {text}")
    port = parts.port or 80
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    return Target(name, host, port, parts.path.rstrip("/") or PATH, listener_of(port), exact=False)
