"""Is the process of this container well? `python deploy/health.py web|loader|worker`; exit status 0: yes.

Standard library alone, because it runs twice a minute. web: /readyz says so. loader: it holds the lock of its spool.
worker: the broker and the database take connections, which is all that can stop it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 4
PORTS = {"postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379}


def web() -> str | None:
    url = f"http://127.0.0.1:{os.environ.get('TURNLOG_PORT', '8787')}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return f"not ready: {error.read().decode(errors='replace')}"
    except OSError as error:
        return f"no answer: {error}"


def loader() -> str | None:
    path = Path(os.environ.get("TURNLOG_DATA_DIR", ".turnlog")) / "spool" / "loader.lock"
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        return f"the loader has not begun: {error}"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)
    return "nobody holds the lock of the spool"


def worker() -> str | None:
    for variable in ("DATABASE_URL", "REDIS_URL"):
        parts = urlsplit(address(variable))
        if not parts.hostname:
            continue
        try:
            socket.create_connection((parts.hostname, parts.port or PORTS[parts.scheme]), SECONDS).close()
        except OSError as error:
            return f"{variable}: {error}"
    return None


def address(variable: str) -> str:
    path = os.environ.get(f"{variable}_FILE")
    return Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(variable, "")


if __name__ == "__main__":
    problem = {"web": web, "loader": loader, "worker": worker}[sys.argv[1]]()
    if problem:
        sys.stderr.write(f"{problem}\n")
    sys.exit(1 if problem else 0)
