"""Costs computed again from the usage that was kept, by the prices of now, for any range of time.

Turns are taken in the order of their ids, some hundreds to a transaction, and in the same one the hours of those that
changed are marked to be summed up again: a run that is killed has done a part, rightly, and is done again from its
start.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from gateway.dialects.accumulate import meter
from gateway.dialects.metered import Metered
from gateway.dialects.names import BROKEN, Dialect
from gateway.history.id_times import first_id_at, hour_of
from gateway.history.prices import read_book
from gateway.history.rollup_marks import MARK
from gateway.models import CostRun, ResponseLog
from gateway.pricing.cost import Cost, cost_of
from gateway.pricing.price_book import PriceBook

AT_ONCE = 500
COLUMNS = (
    "pk", "request__started_at", "request__dialect", "request__provider", "request__model", "request__routed_model",
    "request__requested_model", "request__outcome", "request__handling", "usage", "service_tier", "server_tools",
    "cost_usd", "cost_note",
    "price", "translation",
)  # fmt: skip
UPDATE = """
UPDATE gateway_responselog AS turn SET cost_usd = fresh.usd, cost_note = fresh.note, price_id = fresh.price
FROM unnest(%(ids)s::uuid[], %(usd)s::numeric[], %(notes)s::text[], %(prices)s::int8[]) AS fresh (id, usd, note, price)
WHERE turn.id = fresh.id AND turn.id >= %(first)s AND turn.id <= %(last)s
"""


@dataclass(slots=True)
class Recomputed:
    """So far: turns looked at, those whose cost is another than before, and the time of the last."""

    turns: int = 0
    changed: int = 0
    reached: datetime.datetime | None = None


def recompute(
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    model: str = "",
    told: Callable[[Recomputed], None] = lambda progress: None,
) -> Recomputed:
    """Of all turns that began in [`since`, `until`). `told` is called after every transaction."""
    book = read_book()
    progress = Recomputed()
    for turns in batches(since, until, model):
        with transaction.atomic():
            progress.changed += update(turns, book)
        progress.turns += len(turns)
        progress.reached = turns[-1]["request__started_at"]
        told(progress)
    return progress


def batches(
    since: datetime.datetime | None, until: datetime.datetime | None, model: str
) -> Iterator[list[dict[str, Any]]]:
    turns = ResponseLog.objects.filter(usage__isnull=False)
    if model:
        turns = turns.filter(names_model(model))
    if until is not None:
        turns = turns.filter(pk__lt=first_id_at(until))
    after = {} if since is None else {"pk__gte": first_id_at(since)}
    while found := list(turns.filter(**after).order_by("pk").values(*COLUMNS)[:AT_ONCE]):
        yield found
        after = {"pk__gt": found[-1]["pk"]}


def names_model(model: str) -> Q:
    """The model itself, and its snapshots; which of them the price is for, the price book finds."""
    return Q(request__model=model) | Q(request__model__startswith=f"{model}-") | Q(request__model=None)


def update(turns: list[dict[str, Any]], book: PriceBook) -> int:
    """How many costs were another."""
    fresh = [(turn["pk"], cost) for turn in turns if differs(turn, cost := cost_of_turn(turn, book))]
    if fresh:
        ids = [id for id, _ in fresh]
        with connection.cursor() as cursor:
            cursor.execute(UPDATE, parameters(ids, [cost for _, cost in fresh]))
            cursor.execute(MARK, [sorted({hour_of(id) for id in ids})])
    return len(fresh)


def parameters(ids: list[uuid.UUID], costs: list[Cost]) -> dict[str, Any]:
    return {
        "ids": ids,
        "usd": [cost.usd for cost in costs],
        "notes": [cost.note for cost in costs],
        "prices": [cost.price_id for cost in costs],
        "first": ids[0],
        "last": ids[-1],
    }


def cost_of_turn(turn: dict[str, Any], book: PriceBook) -> Cost:
    """`turn` holds COLUMNS."""
    return cost_of(
        usage_of(turn),
        turn["request__model"] or turn["request__routed_model"] or turn["request__requested_model"],
        turn["request__provider"],
        turn["request__started_at"],
        book,
        broken=turn["request__outcome"] in BROKEN,
        handling=turn["request__handling"],
    )


def usage_of(turn: dict[str, Any]) -> Metered:
    """What was kept of the usage; what its provider said beside it has columns of its own."""
    translation = turn["translation"] or {}
    usage = meter(Dialect(translation.get("dialect") or turn["request__dialect"]), turn["usage"])
    return usage.completed(turn["service_tier"], turn["server_tools"] or {})


def differs(turn: dict[str, Any], cost: Cost) -> bool:
    known: Decimal | None = turn["cost_usd"]
    return (known, turn["cost_note"], turn["price"]) != (cost.usd, cost.note, cost.price_id)


def run_waiting() -> int:
    """Do what was asked for in the admin and is not done yet; how many. Two who do the same at once do it twice."""
    waiting = list(CostRun.objects.filter(finished_at=None).order_by("id"))
    for run in waiting:
        done = recompute(run.since, run.until, run.model)
        run.turns, run.changed, run.finished_at = done.turns, done.changed, timezone.now()
        run.save(update_fields=["turns", "changed", "finished_at"])
    return len(waiting)
