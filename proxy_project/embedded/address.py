"""Where the embedded PostgreSQL listens: a unix socket in a private directory whose path fits the 107-byte bound.

The directory of the cluster that runs is written to `<data directory>/postgres/address.json`. That file wins over what
is computed here, because the answer depends on who starts the server and on `TMPDIR`.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOCKET_PATH_BOUND = 107
SOCKET_PORT = 5432
DATABASE = "turnlog"
ROLE = "turnlog"


@dataclass(frozen=True)
class SocketAddress:
    directory: Path
    port: int


def data_digest(data_dir: Path) -> str:
    """Sixteen hex digits that stand for a data directory wherever its own path cannot be used."""
    return hashlib.sha256(os.path.realpath(os.fsencode(data_dir))).hexdigest()[:16]


def address_file(data_dir: Path) -> Path:
    return data_dir / "postgres" / "address.json"


def socket_address(data_dir: Path) -> SocketAddress:
    """The address on record, else the one a server started now by this user would get."""
    return recorded_address(data_dir) or computed_address(data_dir)


def recorded_address(data_dir: Path) -> SocketAddress | None:
    record = read_record(data_dir)
    if record is None or not is_of(record, data_dir):
        return None
    return SocketAddress(Path(record["socket_directory"]), int(record["port"]))


def read_record(data_dir: Path) -> dict[str, Any] | None:
    """The address file, or None when there is none that makes sense."""
    try:
        record = json.loads(address_file(data_dir).read_text(encoding="utf-8"))
        return record if {"data_dir", "cluster", "socket_directory", "port"} <= record.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def is_of(record: dict[str, Any], data_dir: Path) -> bool:
    """False for a record that came along with a data directory that was moved or copied."""
    return bool(os.path.realpath(record["data_dir"]) == os.path.realpath(data_dir))


def computed_address(data_dir: Path) -> SocketAddress:
    # Late: placing needs the accounts of this system, the address of an external server does not.
    from proxy_project.embedded.placement import home_of

    return SocketAddress(socket_directory(home_of(data_dir), data_dir), SOCKET_PORT)


def socket_directory(home: Path, data_dir: Path) -> Path:
    """Beside the cluster when that can be named, else in the temporary directory under a digest of the path."""
    directory = home / "socket"
    if fits(directory):
        return directory
    return Path(tempfile.gettempdir()) / f"turnlog-{os.getuid()}-{data_digest(data_dir)}"


def fits(directory: Path) -> bool:
    """Whether a client can name it: libpq takes a comma for the end of one host."""
    length = len(os.fsencode(directory)) + len(f"/.s.PGSQL.{SOCKET_PORT}.lock")
    return length <= SOCKET_PATH_BOUND and "," not in str(directory)


def write_address(data_dir: Path, address: SocketAddress, cluster: Path) -> None:
    """Appears whole or not at all, so that a reader never sees half an address."""
    record = {
        "data_dir": str(data_dir),
        "socket_directory": str(address.directory),
        "port": address.port,
        "database": DATABASE,
        "user": ROLE,
        "cluster": str(cluster),
    }
    path = address_file(data_dir)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)
