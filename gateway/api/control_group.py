"""The memory bounds of the control group (cgroup v1 or v2) this process runs in, and of the groups above it.

What containers and systemd limit memory by. Used is what the kernel cannot take back at once: without the part of the
page cache that is not in use, which the spool fills all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNLIMITED = 1 << 60
"""Version 1 writes a number near the largest one for no limit."""


@dataclass(frozen=True)
class Files:
    """The names one version has for the same things."""

    limits: tuple[str, ...]
    used: str
    cache: str


VERSION_1 = Files(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = Files(("memory.max", "memory.high"), "memory.current", "inactive_file")


@dataclass(frozen=True)
class ControlGroup:
    """One group's folder; every value in bytes, None where there is none or it cannot be read."""

    folder: Path
    files: Files

    def limit(self) -> int | None:
        found = [value for value in (read_number(self.folder / name) for name in self.files.limits) if value]
        return min(found, default=None)

    def used(self) -> int | None:
        used = read_number(self.folder / self.files.used)
        return None if used is None else max(0, used - self._reclaimable())

    def _reclaimable(self) -> int:
        for line in read_lines(self.folder / "memory.stat"):
            name, _, value = line.partition(" ")
            if name == self.files.cache and value.isdigit():
                return int(value)
        return 0


def control_groups(proc: Path = Path("/proc/self")) -> list[ControlGroup]:
    """This process's groups that have a limit, the innermost first; none where there are no control groups."""
    return [group for group in every_group(proc) if group.limit() is not None]


def every_group(proc: Path) -> Iterator[ControlGroup]:
    for line in read_lines(proc / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        files = VERSION_1 if controllers else VERSION_2
        mounted = find_mount(proc, "memory" if controllers else None)
        if mounted is None:
            continue
        root, point = mounted
        inside = path if root == "/" else path.removeprefix(root)
        folder = point / inside.lstrip("/")
        while folder.is_relative_to(point):
            yield ControlGroup(folder, files)
            folder = folder.parent


def find_mount(proc: Path, controller: str | None) -> tuple[str, Path] | None:
    """(root within the hierarchy, mount point) of version 1's controller, or of version 2."""
    for line in read_lines(proc / "mountinfo"):
        place, _, kind = line.partition(" - ")
        fields, described = place.split(" "), kind.split(" ")
        if len(fields) < 5 or len(described) < 3:
            continue
        if controller is None and described[0] == "cgroup2":
            return fields[3], Path(fields[4])
        if controller is not None and described[0] == "cgroup" and controller in described[2].split(","):
            return fields[3], Path(fields[4])
    return None


def read_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def read_number(path: Path) -> int | None:
    lines = read_lines(path)
    if not lines or not lines[0].strip().isdigit():
        return None
    value = int(lines[0])
    return value if value < UNLIMITED else None
