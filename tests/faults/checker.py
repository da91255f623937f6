"""Compares three books that know nothing of each other: the provider's, the client's, and the gateway's history."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.faults.client import ID_HEADER, Received
from tests.faults.registry import Failed, require
from tests.faults.scene import PATIENCE, Gateway, Scene

EMPTY = hashlib.sha256(b"").hexdigest()


def id_of(line: dict[str, Any]) -> str:
    """The request's id in a line of the provider's book."""
    wanted = ID_HEADER.decode()
    return next((value for name, value in line["request_headers"] if name.lower() == wanted), "")


async def nothing_lost(scene: Scene, gateway: Gateway, *, seconds: float = PATIENCE, unrecorded: int = 0) -> str:
    """Everything is in the history, once, with the bytes that were sent; at most `unrecorded` are counted instead."""
    await gateway.settle(seconds)
    rows = await gateway.rows()
    received = [answer for client in scene.clients for answer in client.received]
    return compare(scene.seen(), received, rows, unrecorded=unrecorded)


def compare(
    seen: list[dict[str, Any]], received: list[Received], rows: list[dict[str, Any]], *, unrecorded: int = 0
) -> str:
    """Raises Failed with what does not agree."""
    by_id = unique(rows)
    answers = {answer.id: answer for answer in received}
    upstream = {id_of(line): line for line in seen if id_of(line)}
    missing = [id for id in sorted(upstream.keys() | answered(received)) if id not in by_id]
    require(len(missing) <= unrecorded, f"{len(missing)} exchanges have no row, such as {missing[:3]}")
    strange = [id for id in by_id if id not in answers]
    require(not strange, f"{len(strange)} rows nobody asked for, such as {strange[:3]}")
    for id, row in by_id.items():
        compare_one(id, row, answers[id], upstream.get(id))
    outcomes = Counter(row["outcome"] for row in by_id.values())
    told = ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items()))
    return f"{len(by_id)} rows for {len(upstream)} requests at the provider ({told})"


def unique(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    by_id = {row["client_request_id"]: row for row in rows if row["client_request_id"]}
    twice = [id for id, count in Counter(row["client_request_id"] for row in rows).items() if id and count > 1]
    require(not twice, f"{len(twice)} exchanges have more than one row, such as {twice[:3]}")
    return by_id


def answered(received: Iterable[Received]) -> set[str]:
    return {answer.id for answer in received if answer.status}


def compare_one(id: str, row: dict[str, Any], answer: Received, line: dict[str, Any] | None) -> None:
    full = row["capture"] == "full" and row["outcome"] != "interrupted"
    if full and answer.status:
        require(row["status_code"] == answer.status, f"{id}: {answer.status} came, the row says {row['status_code']}")
    if full and row["request_bytes"] and line is not None and line["request_complete"]:
        same = row["request_sha256"] == answer.request_sha256 == line["request_sha256"]
        require(same, f"{id}: the request's bytes differ between client, provider and history")
    if answer.ending != "whole":
        return
    if line is not None and line["response_finished"]:
        require(answer.sha256 == line["response_sha256"], f"{id}: the client got other bytes than the provider sent")
    if full:
        require(row["response_sha256"] == answer.sha256, f"{id}: the history holds other bytes than the client got")


def all_whole(received: Iterable[Received], what: str = "requests") -> str:
    """Every answer came, complete and with 200."""
    answers = list(received)
    bad = [answer for answer in answers if not answer.ok]
    if bad:
        kinds = Counter((answer.status, answer.ending, answer.problem) for answer in bad)
        raise Failed(f"{len(bad)} of {len(answers)} {what} failed: {dict(kinds.most_common(3))}")
    return f"{len(answers)} {what} without an error"


def percentile(values: Iterable[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
