"""Libraries that others load where they find them, and that nothing here uses: ten megabytes of every process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


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


@contextmanager
def in_place_of(name: str, **holds: object) -> Iterator[None]:
    """Whoever imports from this module meanwhile gets these, and the package around it is not loaded. A module that is
    loaded already stays."""
    if name in sys.modules:
        yield
        return
    small = ModuleType(name)
    vars(small).update(holds)
    sys.modules[name] = small
    try:
        yield
    finally:
        del sys.modules[name]


def forgo(name: str) -> None:
    """A module that is never to be loaded, and that whoever asks for it can do without."""
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]
