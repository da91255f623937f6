"""A cluster on disk: made by `initdb`, given who may connect, and asked which server runs on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psutil

from proxy_project.embedded.account import owner_name
from proxy_project.embedded.address import ROLE
from proxy_project.embedded.faults import ClusterError
from proxy_project.embedded.placement import Placement

MAJOR_VERSION = "18"

# Appended once, when the cluster is made, so that whoever runs it may edit them. What must hold is on the command line.
FIRST_SETTINGS = """
# Set by Turnlog when it made this cluster; yours to change.
max_connections = 100
shared_buffers = 128MB
max_wal_size = 2GB
synchronous_commit = on
wal_compression = on
random_page_cost = 1.1
jit = off
log_timezone = 'UTC'
timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_min_duration_statement = 5s
log_lock_waits = on
"""


def prepare(placement: Placement, data_dir: Path) -> None:
    """Make the cluster when there is none, and write who may connect. Raises ClusterError."""
    if not (placement.cluster / "PG_VERSION").exists():
        make(placement)
    version = (placement.cluster / "PG_VERSION").read_text().strip()
    if version != MAJOR_VERSION:
        raise ClusterError(
            f"{placement.cluster} is of PostgreSQL {version} and this is {MAJOR_VERSION}: dump it with the version of"
            " Turnlog that made it (pg_dump), or set DATABASE_URL to a server of that version"
        )
    write_access(placement, data_dir)


def make(placement: Placement) -> None:
    """Made aside and renamed, so that an `initdb` that was killed leaves nothing that looks like a cluster."""
    aside = placement.home / "cluster.new"
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(placement.cluster, ignore_errors=True)
    aside.mkdir()
    placement.account.own(aside, 0o700)
    command = [str(placement.binaries / "initdb"), "--pgdata", str(aside), "--username", ROLE, "--auth", "peer"]
    command += ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    command += ["--data-checksums", "--no-instructions"]
    done = subprocess.run(  # noqa: S603
        command,
        cwd="/",
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        **placement.account.popen_options(),
    )
    if done.returncode:
        raise ClusterError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
    with (aside / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(FIRST_SETTINGS)
    aside.rename(placement.cluster)


def write_access(placement: Placement, data_dir: Path) -> None:
    """`peer` alone: we, the owner of the data directory, and root may be our role; nobody else may be anybody."""
    names = dict.fromkeys([owner_name(), owner_of(data_dir), "root"])
    replace_file(placement, "pg_hba.conf", f'local all "{ROLE}" peer map={ROLE}\n')
    replace_file(placement, "pg_ident.conf", "".join(f'{ROLE} "{name}" "{ROLE}"\n' for name in names))


def owner_of(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return owner_name()


def replace_file(placement: Placement, name: str, text: str) -> None:
    aside = placement.cluster / f"{name}.new"
    aside.write_text(text, encoding="utf-8")
    placement.account.own(aside, 0o600)
    aside.replace(placement.cluster / name)


def server_environment() -> dict[str, str]:
    """Nothing of ours: a stray `PGDATA`, `PGPORT` or locale of the caller must not reach the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def postmaster_of(cluster: Path) -> psutil.Process | None:
    """The server that runs on this cluster, whoever started it; None for a stale pid file."""
    lines = pid_file_lines(cluster)
    if not lines or not lines[0].isdigit():
        return None
    try:
        process = psutil.Process(int(lines[0]))
        same = process.status() != psutil.STATUS_ZOMBIE and os.path.samefile(process.cwd(), cluster)
    except (psutil.Error, OSError):
        return None
    return process if same else None


def pid_file_lines(cluster: Path) -> list[str]:
    try:
        return [line.strip() for line in (cluster / "postmaster.pid").read_text().split("\n")]
    except OSError:
        return []


def says_ready(cluster: Path, pid: int) -> bool:
    """The eighth line of the pid file, which the server keeps: starting, stopping, ready or standby."""
    lines = pid_file_lines(cluster)
    return len(lines) > 7 and lines[0] == str(pid) and lines[7] == "ready"
