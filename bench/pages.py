"""`python -m bench.pages`: how long the server takes for each page of the dashboard, over a history that is there.

Nothing is written: the session with the database is read-only, and the reader is made up. Prints for each page the time
of the first call, the 50th and the 95th percentile of those after it, that of CPU time, the number of queries and the
slowest of them.
Exit status 0: every page's 95th percentile is within its limit. `--markdown`: the table as the documentation has it.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from bench.cpu_clock import CpuClock

LIMIT_MS = 300.0
OVERVIEW_MS = 150.0
WIDTH = 44
TABLE = f"{'page, ms':{WIDTH}}" + "".join(
    f"{name:>9}" for name in ("first", "p50", "p95", "limit", "queries", "slowest")
)
MARKDOWN = "| page | p50 ms | p95 ms | CPU p95 ms | limit | queries |\n|---|---:|---:|---:|---:|---:|"
READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=60s"


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of the server, without the network and without sign-in."""

    name: str
    limit: float
    first: float
    p50: float
    p95: float
    cpu: float
    queries: int
    slowest: float
    sql: str

    @property
    def held(self) -> bool:
        return self.p95 <= self.limit


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--database", default=os.environ.get("DATABASE_URL"), help="its address (DATABASE_URL)")
    parser.add_argument("--samples", type=int, default=20, help="how often each page is asked for (20)")
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    parser.add_argument("--markdown", action="store_true", help="a table for the documentation")
    parser.add_argument("--sql", action="store_true", help="show the slowest query of each page that is over its limit")
    options = parser.parse_args()
    if not options.database:
        parser.error("name a database: --database or DATABASE_URL")
    os.environ |= {
        "DATABASE_URL": options.database,
        "DJANGO_SETTINGS_MODULE": "proxy_project.settings",
        "PGOPTIONS": READ_ONLY,
    }
    import django

    django.setup()
    freeze()
    print(MARKDOWN if options.markdown else TABLE)
    held = True
    for each in ask_all(options.samples, options.only):
        print(markdown_line(each) if options.markdown else table_line(each), flush=True)
        if options.sql and not each.held:
            print(f"    {each.sql}")
        held = held and each.held
    sys.exit(0 if held else 1)


def freeze() -> None:
    """As `web` does before it serves: what is loaded by now is not looked at by the collector again."""
    from django.urls import get_resolver

    get_resolver().check()
    gc.collect()
    gc.freeze()


def addresses() -> Iterator[tuple[str, str]]:
    """(name, address below /d/) of what is asked for: each page, by its usual time and the longest one offered, and
    queries of each kind."""
    from gateway.models import RequestLog

    row = RequestLog.objects.exclude(session_id=None).order_by("-id").first()
    if row is None:
        raise SystemExit("The history is empty: `manage.py demo` fills it.")
    lists = ("", "requests/", "c/", "errors/", "usage/", "quota/", "models/", "grades/")
    for page in lists:
        for span in ("24h", "7d", "30d") if not page else ("24h", "30d"):
            yield f"{page or 'overview'} {span}", f"{page}?range={span}"
    for page in ("health/", "me/"):
        yield page, page
    queries = (
        "model:opus", "status:>=400", "is:failed", "ttft:>5s", "ttft:>60s", "duration:>1m", "cost:>0.5", "cost:>50",
        "in:>100k", "out:>5k", "cache:>900k", "error:overloaded", "stop:tool_use", "-is:streaming ttft:>5s",
        "size:>5mb", "client:nobody", "path:count", "rounding", '"off by a cent"',
    )  # fmt: skip
    for query in queries:
        yield f"requests 30d {query}", f"requests/?range=30d&q={query.replace('>', '%3E').replace(' ', '+')}"
    team = row.team or ""
    yield "requests 30d of a team, ttft:>60s", f"requests/?range=30d&team={team}&q=ttft:%3E60s"
    yield "overview 30d of a team", f"?range=30d&team={team}"
    for tab in ("messages", "raw", "timeline", "headers", "limits", "cost", "related", "grade"):
        yield f"request, {tab}", f"r/{row.id}/?tab={tab}"
    yield "conversation", f"c/{row.session_id}"


def ask_all(samples: int, only: str) -> Iterator[Timed]:
    from gateway.history.visibility import Sight
    from gateway.models import RequestLog

    for name, address in addresses():
        if only in name:
            yield timed(name, address, samples)
    names = sorted(set(RequestLog.objects.order_by("-id").values_list("team", flat=True)[:2000]) - {""})[:1]
    with patch("dashboard.access.visible_to", lambda user: Sight(frozenset(names))):
        for name, address in addresses():
            if name.startswith(("overview", "requests/", "c/", "errors/", "quota/")) and only in f"{name}, a lead":
                yield timed(f"{name}, a lead", address, samples)


def timed(name: str, address: str, samples: int) -> Timed:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    ask = asking(address)
    with CaptureQueriesContext(connection) as captured:
        first = seconds(ask) * 1000
    slowest: Any = max(
        captured.captured_queries, key=lambda query: float(query["time"]), default={"time": 0, "sql": ""}
    )
    clock, spent, times = CpuClock(), [], []
    for _ in range(samples):
        before = clock.ms()
        times.append(seconds(ask) * 1000)
        spent.append(clock.ms() - before)
    limit = OVERVIEW_MS if name.startswith("overview") else LIMIT_MS
    slow = float(slowest["time"]) * 1000
    p50, p95, cpu = sorted(times)[len(times) // 2], share_95(times), share_95(spent)
    return Timed(name, limit, first, p50, p95, cpu, len(captured), slow, str(slowest["sql"]))


def share_95(times: list[float]) -> float:
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


def seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def asking(address: str) -> Callable[[], object]:
    from django.contrib.auth.models import User
    from django.test import RequestFactory
    from django.urls import resolve

    def ask() -> object:
        request = RequestFactory(SERVER_NAME="127.0.0.1").get(f"/d/{address}")
        request.user = User(pk=0, username="reader", is_superuser=True, is_active=True)
        match = resolve(request.path)
        request.resolver_match = match
        response = match.func(request, *match.args, **match.kwargs)
        if response.status_code != 200:
            raise SystemExit(f"{address}: {response.status_code}")
        return getattr(response, "content", None) or b"".join(response)

    return ask


def table_line(found: Timed) -> str:
    numbers = (found.first, found.p50, found.p95, found.cpu, found.limit, found.queries, found.slowest)
    return f"{found.name:{WIDTH}}" + "".join(f"{number:9.0f}" for number in numbers) + ("" if found.held else "  over")


def markdown_line(found: Timed) -> str:
    return (
        f"| {found.name} | {found.p50:.0f} | {found.p95:.0f} | {found.cpu:.0f} | {found.limit:.0f} | {found.queries} |"
    )


if __name__ == "__main__":
    main()
