"""Damaged bytes of segments are set aside for a person to look at, and counted by being there."""

from __future__ import annotations

from pathlib import Path

import structlog

from gateway.recording.frames import Damage
from gateway.recording.open_files import OpenFiles
from gateway.recording.series import QUARANTINE_NAME

log = structlog.get_logger(__name__)


class Quarantine:
    """One file for each stretch of damage, named after its place, so that keeping it twice counts once."""

    def __init__(self, spool_dir: Path, files: OpenFiles) -> None:
        self._directory = spool_dir / QUARANTINE_NAME
        self._files = files

    def keep(self, path: Path, damage: Damage) -> None:
        """Copy the bytes aside. Raises OSError."""
        self._directory.mkdir(exist_ok=True, mode=0o700)
        target = self._directory / f"{path.parent.name}-{path.name}-{damage.start}"
        data = self._files.read(path, damage.start, damage.end - damage.start)
        aside = target.with_name(f".{target.name}")
        aside.write_bytes(data)
        aside.rename(target)
        log.warning("damaged bytes in the spool set aside", file=str(target), size=len(data))


def count_quarantined(spool_dir: Path) -> int:
    """Stretches of damage set aside so far."""
    try:
        return sum(not entry.name.startswith(".") for entry in (spool_dir / QUARANTINE_NAME).iterdir())
    except FileNotFoundError:
        return 0
