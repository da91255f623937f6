"""`python -m bench.read_api --database URL`: every route of the read API, asked of a history that is there.

Nothing is written. A route is asked as an admin, who reads every team, and as a key of the largest team; each time
about another request, session, time or word. Exit status 0: every 95th percentile is within the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from bench.cpu_clock import CpuClock

LIMIT_MS = 300.0
STATS = (
    "stats", "stats/hourly", "stats/models", "stats/providers", "stats/performance", "stats/subagents", "stats/tools",
)  # fmt: skip
WORDS = ("test", "function", "error", '"return value"', "tool:Bash", "refactor", "zzzznothing")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.read_api", description=__doc__)
    parser.add_argument("--database", required=True, help="address of a PostgreSQL that holds a history")
    parser.add_argument("--samples", type=int, default=20, help="how often each route is asked (20)")
    parser.add_argument("--only", default="", help="routes with this in their name")
    options = parser.parse_args()
    os.environ |= {"DATABASE_URL": options.database, "DJANGO_SETTINGS_MODULE": "proxy_project.settings"}
    import django

    django.setup()
    held = True
    print(f"{'route':52} {'asked by':9} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8} {'CPU p95':>8}")
    for name, who, asked in measured(options.samples, options.only):
        times, spent = (sorted(column) for column in zip(*asked, strict=True))
        at = max(0, round(len(times) * 0.95) - 1)
        p95 = times[at]
        held = held and p95 <= LIMIT_MS
        mark = "" if p95 <= LIMIT_MS else "  over the limit"
        p50 = times[len(times) // 2]
        print(f"{name:52} {who:9} {p50:8.1f} {p95:8.1f} {times[-1]:8.1f} {spent[at]:8.1f}{mark}", flush=True)
    sys.exit(0 if held else 1)


def measured(samples: int, only: str) -> Iterator[tuple[str, str, list[tuple[float, float]]]]:
    """Each route and who asked, with the times of the clock and the CPU in ms. The first question of each kind warms
    up."""
    from django.db.models import Count

    from gateway.history.visibility import EVERYTHING, Sight
    from gateway.models import RequestLog

    newest = RequestLog.objects.order_by("-id").values_list("id", flat=True)[20_000:20_001].first()
    counted = RequestLog.objects.filter(id__gt=newest) if newest else RequestLog.objects.all()
    team = counted.order_by().values("team").annotate(n=Count("pk")).order_by("-n").values_list("team", flat=True)[0]
    for who, sight in (("admin", EVERYTHING), ("one team", Sight(frozenset({team})))):
        for name, address in addresses(random.Random(1), sight).items():
            if only not in name:
                continue
            ask(sight, address())
            clock = CpuClock()
            yield name, who, [timed(sight, address(), clock) for _ in range(samples)]


def timed(sight: Any, address: str, clock: CpuClock) -> tuple[float, float]:
    began, before = time.perf_counter(), clock.ms()
    ask(sight, address)
    return (time.perf_counter() - began) * 1_000, clock.ms() - before


def ask(sight: Any, address: str) -> Any:
    """As somebody signed in who sees this much; what stands before the view is not measured."""
    from django.test import RequestFactory
    from django.urls import resolve

    request = RequestFactory().get(f"/api/v1/{address}")
    request.user = SimpleNamespace(is_authenticated=True, get_username=lambda: "bench")
    found = resolve(request.path_info)
    with patch("gateway.read_api.access.visible_to", lambda user: sight):
        answer = found.func(request, *found.args, **found.kwargs)
    assert answer.status_code == 200, (address, answer.content[:300])
    return json.loads(answer.content)


def addresses(source: random.Random, sight: Any) -> dict[str, Callable[[], str]]:
    """By name, what makes one address of the kind."""
    columns = ("id", "session_id", "model", "team", "access_key", "client", "status_code")
    rows: list[tuple[Any, ...]] = []
    ids = sight.requests()
    for share in range(1, 41):
        rows += ids.filter(id__lt=id_at(sight, share / 40)).order_by("-id").values_list(*columns)[:10]
    now = rows[-1][0]
    end = datetime.fromtimestamp((now.int >> 80) / 1_000, tz=UTC)

    def one() -> tuple[Any, ...]:
        return source.choice(rows)

    def three() -> str:
        return urlencode({"model": one()[2] or "", "team": one()[3], "status": 529})

    def span(days: int) -> str:
        until = end - timedelta(days=source.randrange(0, 60))
        return urlencode({"start": (until - timedelta(days=days)).isoformat(), "end": until.isoformat()})

    plain = ("requests", "requests/summary")
    found: dict[str, Callable[[], str]] = {}
    for route in plain:
        found |= {
            route: lambda r=route: f"{r}?limit=50",
            f"{route}?before": lambda r=route: f"{r}?limit=50&before={one()[0]}",
            f"{route}?start&end": lambda r=route: f"{r}?limit=50&{span(7)}",
        }
    narrowed = {
        "model": 2, "session": 1, "team": 3, "key": 4, "client": 5, "status": 6,
    }  # fmt: skip
    for name, at in narrowed.items():
        found[f"requests/summary?{name}"] = lambda n=name, a=at: "requests/summary?" + urlencode({n: one()[a] or ""})
    found |= {
        "requests/summary?limit=500": lambda: f"requests/summary?limit=500&before={one()[0]}",
        "requests/summary?model&team&status": lambda: "requests/summary?" + three(),
        "requests/summary?provider&status (rare)": lambda: "requests/summary?provider=openai&status=529",
        "requests/summary?provider (none)": lambda: "requests/summary?provider=nobody",
        "requests/latest-date": lambda: "requests/latest-date",
        "requests/ID": lambda: f"requests/{one()[0]}",
        "requests/ID?chunks": lambda: f"requests/{one()[0]}?chunks=true",
        "conversations": lambda: "conversations?limit=25",
        "conversations?before": lambda: f"conversations?limit=25&before={one()[0]}",
        "conversations/ID": lambda: f"conversations/{next(row[1] for row in iter(one, None) if row[1])}",
        "search": lambda: "search?" + urlencode({"q": source.choice(WORDS)}),
        "conversations/search": lambda: "conversations/search?" + urlencode({"q": source.choice(WORDS)}),
    }  # fmt: skip
    for days in (7, 30):
        for route in STATS:
            found[f"{route} ({days} days)"] = lambda r=route, d=days: f"{r}?{span(d)}"
    return found


def id_at(sight: Any, share: float) -> Any:
    """The id that lies at this share of the time of the history."""
    from uuid import UUID

    first = sight.requests().order_by("id").values_list("id", flat=True).first().int
    last = sight.requests().order_by("-id").values_list("id", flat=True).first().int
    return UUID(int=first + int((last - first) * share) + 1)


if __name__ == "__main__":
    main()
