"""Reading parts of many files through few descriptors."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

MOST_OPEN = 64


class OpenFiles:
    """Keeps the most recently read files open."""

    def __init__(self) -> None:
        self._descriptors: OrderedDict[Path, int] = OrderedDict()

    def read(self, path: Path, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start`; fewer at the end of the file. Raises OSError."""
        descriptor = self._descriptor(path)
        parts: list[bytes] = []
        while size > 0:
            part = os.pread(descriptor, size, start)
            if not part:
                break
            parts.append(part)
            start += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self, path: Path) -> None:
        descriptor = self._descriptors.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        for path in list(self._descriptors):
            self.forget(path)

    def _descriptor(self, path: Path) -> int:
        descriptor = self._descriptors.get(path)
        if descriptor is not None:
            self._descriptors.move_to_end(path)
            return descriptor
        if len(self._descriptors) >= MOST_OPEN:
            self.forget(next(iter(self._descriptors)))
        descriptor = self._descriptors[path] = os.open(path, os.O_RDONLY)
        return descriptor
