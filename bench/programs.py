"""The fake provider and the load generator: compiled from `bench/c`, or their slow equals in Python."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "c"
FLAGS = ["-O2", "-std=gnu11", "-Wall", "-Wextra"]


@dataclass(frozen=True)
class Programs:
    """Commands to start; `slow`: they are the ones in Python, which limit what is measured."""

    upstream: list[str]
    load: list[str]
    slow: bool


def find_programs(cache: Path, *, slow: bool = False) -> Programs:
    """Compile where there is a C compiler and epoll; a second call finds what the first one made."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if slow or compiler is None or not sys.platform.startswith("linux"):
        return Programs(
            [sys.executable, "-m", "bench.slow_upstream"], [sys.executable, "-m", "bench.slow_load"], slow=True
        )
    return Programs([compiled(compiler, cache, "upstream")], [compiled(compiler, cache, "load")], slow=False)


def compiled(compiler: str, cache: Path, name: str) -> str:
    """The path of the program, named by its sources, so that changed ones are compiled again."""
    sources = b"".join(path.read_bytes() for path in (SOURCES / "net.h", SOURCES / f"{name}.c"))
    program = cache / f"{name}-{hashlib.sha256(sources).hexdigest()[:12]}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = program.with_suffix(".new")
        subprocess.run([compiler, *FLAGS, "-o", str(fresh), str(SOURCES / f"{name}.c")], check=True)
        fresh.replace(program)
    return str(program)
