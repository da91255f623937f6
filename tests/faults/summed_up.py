"""Whether the sums by hour and day are those of the turns."""

from __future__ import annotations

from typing import Any

from tests.faults.registry import require
from tests.faults.scene import Gateway, until

ROLLED_UP = "SELECT sum(requests), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_usd) FROM {}"
TURNS = """
SELECT count(*), count(*) FILTER (WHERE outcome <> 'completed' OR status_code >= 400), sum(input_tokens),
       sum(output_tokens), sum(cost_usd)
FROM gateway_requestlog JOIN gateway_responselog USING (id)
"""


async def rolled_up(gateway: Gateway) -> tuple[Any, ...]:
    """The sums by hour, by day, and over all keys, once nothing is due; they must be the same, and those of the
    turns."""
    found: list[tuple[Any, ...]] = []
    await until(lambda: none_due(gateway), "the worker has summed up what was due", 60)
    with gateway.connect() as connection:
        for table in ("gateway_rolluphour", "gateway_rollupday", "gateway_overallhour", "gateway_overallday"):
            row = connection.execute(ROLLED_UP.format(table)).fetchone()
            assert row is not None
            found.append(tuple(row))
        turns = connection.execute(TURNS).fetchone()
    require(set(found) == {turns}, f"hours, days, and both over all keys {found}, turns {turns}")
    return found[0]


def none_due(gateway: Gateway) -> bool:
    with gateway.connect() as connection:
        return connection.execute("SELECT 1 FROM gateway_rollupdue LIMIT 1").fetchone() is None
