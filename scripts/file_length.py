"""Say which Python files have more than 400 lines; a file that long is two files. Migrations are written by a tool."""

from __future__ import annotations

import sys
from pathlib import Path

BOUND = 400
FOLDERS = ("bench", "dashboard", "gateway", "proxy_project", "scripts", "tests")


def long_files(root: Path) -> list[str]:
    """A line for each file over the bound."""
    lines = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            count = path.read_bytes().count(b"\n")
            if count > BOUND and path.parent.name != "migrations":
                lines.append(f"{path.relative_to(root)} has {count} lines, more than {BOUND}")
    return lines


if __name__ == "__main__":
    found = long_files(Path(__file__).resolve().parent.parent)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(bool(found))
