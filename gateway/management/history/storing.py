"""`history parts|stats`: how the history lies in the store."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gateway.history.lineage import Part, parts_of
from gateway.history.statistics import read_statistics
from gateway.management.history.action import Action, exchange_id
from gateway.management.history.printing import dump, table_line
from gateway.models import Blob

PART_COLUMNS = (("kind", 12), ("place", 5), ("size", 9), ("part", 40), ("blob", 40), ("marks", 40))


def parts_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=exchange_id)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def parts(command: BaseCommand, *, id: uuid.UUID, json: bool, **options: Any) -> None:
    lineage = parts_of(id)
    rows = [part_object(part) for part in lineage.parts]
    if json:
        leaves = {"prefix_leaf": lineage.prefix_leaf, "messages_leaf": lineage.messages_leaf}
        named = {name: leaf.hex() if leaf is not None else None for name, leaf in leaves.items()}
        command.stdout.write(dump({"id": str(id), "scope": lineage.scope, **named, "parts": rows}, indent=2))
        return
    command.stdout.write(table_line({name: name for name, _ in PART_COLUMNS}, PART_COLUMNS))
    for row in rows:
        command.stdout.write(table_line({**row, "marks": " ".join(row["marks"])}, PART_COLUMNS))


def part_object(part: Part) -> dict[str, Any]:
    return {
        "kind": Blob.Kind(part.kind).label,
        "place": part.place,
        "size": part.size,
        "part": part.part.hex(),
        "blob": part.blob.hex(),
        "node": part.node.hex(),
        "marks": [mark.decode("utf-8", "replace") for mark in part.marks],
    }


def stats_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def stats(command: BaseCommand, *, json: bool, **options: Any) -> None:
    told = read_statistics().to_object()
    if json:
        command.stdout.write(dump(told, indent=2))
        return
    tables = told.pop("tables")
    for name, value in {**told, **tables}.items():
        command.stdout.write(f"{name:>26}  {value:>15,}" if value is not None else f"{name:>26}  {'':>15}")


ACTIONS = (
    Action("parts", "what one request is made of: tools, system, messages, by digest", parts_arguments, parts),
    Action("stats", "how much was recorded and how much room it takes", stats_arguments, stats),
)
