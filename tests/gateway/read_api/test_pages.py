"""Pages of requests: whatever comes in between, none is seen twice and none is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from gateway.models import RequestLog
from gateway.read_api import listing
from tests.exchanges import Sample, keep
from tests.gateway.read_api.callers import key_of

pytestmark = pytest.mark.django_db
BEGAN = datetime.now(UTC) - timedelta(hours=2)


def sample(number: int, **changes: Any) -> Sample:
    return Sample(
        {"model": "m", "messages": []}, [b"{}"], at=BEGAN + timedelta(seconds=number), team="alpha", **changes
    )


def page(route: str, query: str, **headers: str) -> Any:
    answer = Client().get(f"/api/v1/{route}?{query}", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=some.integers(0, 12),
    limit=some.integers(1, 5),
    added=some.lists(some.integers(0, 3), max_size=6),
    route=some.sampled_from(["requests", "requests/summary"]),
)
def test_no_row_comes_twice_or_is_lost_while_rows_are_added(
    rows: int, limit: int, added: list[int], route: str
) -> None:
    RequestLog.objects.all().delete()
    headers = key_of("alpha", "a-key-0123456789-pages")
    begun = [str(id) for id in keep([sample(number) for number in range(rows)])]
    seen: list[str] = []
    before = ""
    for turn in range(rows + 2):
        told = page(route, f"limit={limit}{before}", **headers)
        assert len(told["requests"]) <= limit
        seen += [row["requestId"] for row in told["requests"]]
        if "next" not in told:
            break
        before = f"&before={told['next']}"
        keep([sample(3_000 + 10 * turn + number) for number in range(added[turn] if turn < len(added) else 0)])
    assert len(seen) == len(set(seen))
    assert seen[-len(begun) :] == sorted(begun, reverse=True) if begun else True
    assert seen == sorted(seen, reverse=True)


def test_what_no_index_finds_is_looked_for_a_stretch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT", 4)
    headers = key_of("alpha", "a-key-0123456789-pages")
    ids = keep([sample(number, status=529 if number in (0, 7) else 200) for number in range(10)])
    query, seen, stretches = "key=&client=&provider=anthropic&status=529", [], 0
    before = ""
    while True:
        told = page("requests/summary", query + before, **headers)
        seen += [row["requestId"] for row in told["requests"]]
        stretches += "lookedUntil" in told
        if "next" not in told:
            break
        before = f"&before={told['next']}"
    assert seen == [str(ids[7]), str(ids[0])]
    told = page("requests/summary", "provider=anthropic&limit=100", **headers)
    assert (len(told["requests"]), told["totalIsCapped"], told["lookedUntil"]) == (4, True, told["next"])
    assert stretches == 0, "both rows are within the first four of that status"
