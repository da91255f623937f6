"""The PostgreSQL we run: started as a child in a session of its own, found again when its starter was killed.

A server belongs to its cluster, not to the process that started it. `EmbeddedPostgres` therefore looks for a running
one first and adopts it; there are never two. Whoever calls holds the locks of `lease.py`.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from proxy_project.embedded.address import DATABASE, ROLE, SocketAddress, write_address
from proxy_project.embedded.cluster import postmaster_of, prepare, says_ready, server_environment
from proxy_project.embedded.faults import StartFailed
from proxy_project.embedded.placement import Placement, home_of, place

START_SECONDS = 120.0
STOP_SECONDS = 60.0
LOG_BYTES = 16 * 1024 * 1024


class EmbeddedPostgres:
    """One cluster's server. `settings` are extra server settings, by name; they win over the cluster's own file."""

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.settings = dict(settings or {})
        self.process: psutil.Process | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> SocketAddress:
        """Return when the database answers. Raises EmbeddedFault."""
        placement = place(self.data_dir)
        process = postmaster_of(placement.cluster)
        if process is not None and not self.adoptable(process, placement):
            end(process)
            process = None
        if process is None:
            prepare(placement, self.data_dir)
            process = self.launch(placement)
        self.process = process
        write_address(self.data_dir, placement.address, placement.cluster)
        try:
            make_database(placement.address)
        except psycopg.Error as error:
            self.stop()
            raise StartFailed(f"PostgreSQL started but cannot be used: {str(error).strip()}") from None
        return placement.address

    def adoptable(self, process: psutil.Process, placement: Placement) -> bool:
        """A server of an earlier start that is up and listens where we would."""
        socket = placement.address.directory / f".s.PGSQL.{placement.address.port}"
        deadline = time.monotonic() + START_SECONDS
        while is_alive(process) and time.monotonic() < deadline:
            if says_ready(placement.cluster, process.pid):
                return socket.exists()
            time.sleep(0.02)
        return False

    def launch(self, placement: Placement) -> psutil.Process:
        """A server killed a moment ago may leave workers that hold its memory: then try again, for a while."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.reap()
            self.child = self.spawn(placement)
            if wait_until_ready(self.child, placement.cluster, deadline):
                return psutil.Process(self.child.pid)
            said = self.last_words()
            if "still in use" not in said or time.monotonic() > deadline:
                raise StartFailed(f"PostgreSQL did not start; {self.log_path} ends:\n{said}")
            time.sleep(0.2)

    def reap(self) -> None:
        if self.child is not None:
            self.child.wait()

    def spawn(self, placement: Placement) -> subprocess.Popen[bytes]:
        required = {
            "listen_addresses": "",
            "unix_socket_directories": quoted_list_item(str(placement.address.directory)),
            "unix_socket_permissions": "0700",
            "port": str(placement.address.port),
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        command = [str(placement.binaries / "postgres"), "-D", str(placement.cluster)]
        for name, value in {**self.settings, **required}.items():
            command += ["-c", f"{name}={value}"]
        with self.open_log() as log:
            return subprocess.Popen(  # noqa: S603
                command,
                cwd="/",
                env=server_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **placement.account.popen_options(),
            )

    @property
    def log_path(self) -> Path:
        return self.data_dir / "logs" / "postgres.log"

    def open_log(self) -> IO[bytes]:
        """Handed over open: the account the server runs as need not be able to walk to it."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > LOG_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
        return self.log_path.open("ab")

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log_path.read_text(errors="replace").split("\n")[-12:]).strip()
        return ""

    def alive(self) -> bool:
        return self.process is not None and is_alive(self.process)

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Stop whichever server runs on the cluster: sessions are cut, data is safe. Nothing happens when none runs."""
        process = postmaster_of(home_of(self.data_dir) / "cluster") or self.process
        if process is not None:
            end(process, seconds)
        self.reap()
        self.process = self.child = None

    def let_go(self) -> None:
        """Leave the server running for others."""
        if self.child is not None:
            # Not ours to wait for any more: without this, Python warns of a child that was forgotten.
            self.child.returncode = 0
        self.process = self.child = None


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, seconds: float = STOP_SECONDS) -> None:
    """SIGINT (sessions are cut, a checkpoint is written), SIGQUIT when that takes too long, SIGKILL at the last."""
    for signal_, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, min(seconds, 10.0)), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_)
        deadline = time.monotonic() + patience
        while is_alive(process):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        else:
            return


def wait_until_ready(child: subprocess.Popen[bytes], cluster: Path, deadline: float) -> bool:
    while child.poll() is None:
        if says_ready(cluster, child.pid):
            return True
        if time.monotonic() > deadline:
            child.send_signal(signal.SIGQUIT)
            child.wait()
            return False
        time.sleep(0.005)
    return False


def make_database(address: SocketAddress) -> None:
    place = make_conninfo(host=str(address.directory), port=address.port, user=ROLE, dbname="postgres")
    with psycopg.connect(place, autocommit=True, connect_timeout=10) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def quoted_list_item(path: str) -> str:
    """A member of a list of paths in the server's own syntax, where commas and spaces separate."""
    return '"' + path.replace('"', '""') + '"'
