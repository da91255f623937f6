"""Faults on demand: a test arms a name, and the code that passes it raises. Nothing is armed outside tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

armed: set[str] = set()


class InjectedFault(Exception):
    """Raised by an armed failpoint."""


def hit(name: str) -> None:
    """Callers on the hot path write `if armed: hit("name")`, which costs one look at an empty set."""
    if name in armed:
        raise InjectedFault(name)


@contextmanager
def fault(name: str) -> Iterator[None]:
    armed.add(name)
    try:
        yield
    finally:
        armed.discard(name)
