"""What makes up the cost of one turn, kind by kind."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.history.cost_runs import COLUMNS, cost_of_turn
from gateway.history.prices import read_book
from gateway.models import ResponseLog
from gateway.pricing.cost import CostLine


def cost_lines(response: ResponseLog | None) -> Sequence[CostLine]:
    """By the prices of now; none when the turn has no known cost, or was priced otherwise: it may be recomputed."""
    if response is None or response.cost_usd is None:
        return ()
    turn = ResponseLog.objects.filter(pk=response.pk).values(*COLUMNS).first()
    if turn is None:
        return ()
    cost = cost_of_turn(turn, read_book())
    return cost.lines if cost.usd == response.cost_usd else ()
