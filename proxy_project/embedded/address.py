"""Where the embedded PostgreSQL listens: a unix socket in a private directory whose path fits the 107-byte bound."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_BOUND = 107
SOCKET_PORT = 5432


@dataclass(frozen=True)
class SocketAddress:
    directory: Path
    port: int


def socket_address(data_dir: Path) -> SocketAddress:
    """Below the data directory when that is short enough, else in the temporary directory under a digest of its path."""
    directory = data_dir / "postgres" / "socket"
    name = f"/.s.PGSQL.{SOCKET_PORT}.lock"
    if len(os.fsencode(directory)) + len(name) > SOCKET_PATH_BOUND:
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"turnlog-{os.getuid()}-{digest}"
    return SocketAddress(directory, SOCKET_PORT)
