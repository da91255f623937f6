"""The rows: id, what must hold, and the function that finds out."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.scene import Scene

FAMILIES = (
    "durability", "disks", "replays", "bytes_through", "beside", "pace", "endings", "upstreams", "crowds", "bodies",
    "drain", "inside", "secrets", "kept", "ingress", "pages", "code", "upkeep", "shared", "breakers", "versions",
    "doors", "strangers", "deeds",
)  # fmt: skip
"""The modules of this package that hold rows."""

Check = Callable[["Scene"], Awaitable[str]]


class Failed(AssertionError):
    """The row's condition does not hold; the text says why."""


@dataclass(frozen=True)
class Row:
    """`quick`: takes seconds with --quick, and belongs to what is run on every change. `timed`: promises times, so that
    no other row may run beside it."""

    id: str
    promise: str
    quick: bool
    timed: bool
    check: Check


ROWS: dict[str, Row] = {}


def row(id: str, promise: str, *, quick: bool = False, timed: bool = False) -> Callable[[Check], Check]:
    """Register `async def check(scene) -> what was seen`; it raises Failed when the promise is broken."""

    def register(check: Check) -> Check:
        assert id not in ROWS, f"{id} is there twice"
        ROWS[id] = Row(id, promise, quick, timed, check)
        return check

    return register


def all_rows() -> list[Row]:
    for family in FAMILIES:
        importlib.import_module(f"tests.faults.{family}")
    return sorted(ROWS.values(), key=lambda found: in_order(found.id))


def in_order(id: str) -> tuple[int, int]:
    family, number = re.fullmatch(r"([A-Z]+)-(\d+)", id).groups()  # type: ignore[union-attr]
    return (("R", "S", "SEC").index(family), int(number))


def require(condition: object, why: str) -> None:
    if not condition:
        raise Failed(why)
