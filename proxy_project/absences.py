"""Libraries that others load where they find them, and that nothing here uses: six megabytes of every process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """As if these were not installed. Those that are loaded already stay."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def forgo(name: str) -> None:
    """A module that is never to be loaded, and that whoever asks for it can do without."""
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]
