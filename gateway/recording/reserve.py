"""Room that is kept on the spool's disk for the moment it is full.

A disk may be full of the very segment that is being written, and the loader empties a segment only when it has a
successor and all its exchanges have ended. The reserve is given up to make room for that: a successor, and the ends.
"""

from __future__ import annotations

from pathlib import Path

RESERVE_BYTES = 1024 * 1024
FILE_NAME = "reserve"


class Reserve:
    """A file of a series that holds nothing; `is_kept` while it is there. Only the writer thread."""

    def __init__(self) -> None:
        self.is_kept = False
        self._path: Path | None = None

    def keep(self, directory: Path) -> None:
        """Raises OSError, with nothing left behind, when there is no room for it."""
        if self.is_kept:
            return
        path = self._path = directory / FILE_NAME
        try:
            with path.open("wb", buffering=0) as file:
                self.is_kept = file.write(bytes(RESERVE_BYTES)) == RESERVE_BYTES
        finally:
            if not self.is_kept:
                path.unlink(missing_ok=True)

    def spend(self) -> None:
        """Give the room back, when it is kept."""
        if self._path is not None and self.is_kept:
            self._path.unlink(missing_ok=True)
        self.is_kept = False
