"""Sums of a million turns: how long a page of numbers is read for, and how long everything is summed up for.

    python -m bench.rollups [--turns 1000000] [--days 60]

On a PostgreSQL of its own. Rows are made by PostgreSQL itself: only what the sums are made of, no bodies. Forty keys of
six teams, two or three models each.
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from proxy_project.embedded.postgres import EmbeddedPostgres

TURNS = """
WITH made AS (
    SELECT n, (((extract(epoch FROM %(end)s::timestamptz) * 1000)::bigint - (random() * %(span)s)::bigint)) AS ms,
           n %% 40 AS key, random() AS luck
    FROM generate_series(%(first)s, %(last)s) AS n
),
ids AS (
    SELECT *, key %% 6 AS team, (key + (luck * 1.6)::int) %% 8 AS model,
           (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(n %% 4096), 3, '0') || '8'
               || lpad(to_hex(n), 15, '0'))::uuid AS id FROM made
),
requests AS (
    INSERT INTO gateway_requestlog (id, started_at, method, path, query, dialect, provider, access_key, team,
        client_address, requested_model, model, is_streaming, status_code, outcome, session_id, client, client_version,
        user_agent, content_type, betas, tags, request_bytes, capture, purpose, handling)
    SELECT id, to_timestamp(ms / 1000.0), 'POST', '/v1/messages', '', 'anthropic', 'anthropic', 'key-' || key,
           'team-' || team, '', 'm-' || model, 'm-' || model, true, CASE WHEN luck < 0.03 THEN 429 ELSE 200 END,
           CASE WHEN luck < 0.03 THEN 'upstream_error' ELSE 'completed' END, 's-' || n / 40, 'claude-code', '2.1',
           '', '', '{}', '{}', 100000, 'full', '', '' FROM ids
)
INSERT INTO gateway_responselog (id, content_type, content_encoding, first_byte_ms, duration_ms, response_bytes, usage,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd, cost_note, parse_warnings, attempts)
SELECT id, '', '', 300 + luck * 2000, 2000 + luck * luck * 60000, 5000, '{}', 2000, 400, 80000, 3000, 0.0423, '', '{}',
       '[]' FROM ids
"""
STEP = 50_000
REPEATS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1_000_000, help="how many (1000000)")
    parser.add_argument("--days", type=int, default=60, help="over how many days (60)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        os.chmod(name, 0o755)
        server = EmbeddedPostgres(Path(name) / "data")
        address = server.start()
        try:
            host = quote(str(address.directory), safe="")
            os.environ["DATABASE_URL"] = f"postgresql://turnlog@/turnlog?host={host}&port={address.port}"
            os.environ["TURNLOG_DATA_DIR"] = name
            run(options.turns, options.days)
        finally:
            server.stop(seconds=10)


def run(turns: int, days: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    fill(turns, days)
    sum_up()
    measure()


def fill(turns: int, days: int) -> None:
    from django.db import connection

    from gateway.history.partitions import create_partitions, months_from

    end = datetime.datetime.now(datetime.UTC)
    first = (end - datetime.timedelta(days=days)).date().replace(day=1)
    with connection.cursor() as cursor:
        create_partitions(cursor, months_from(first, 4))
        for start in range(1, turns + 1, STEP):
            last = min(turns, start + STEP - 1)
            cursor.execute(TURNS, {"end": end, "span": days * 86_400_000, "first": start, "last": last})
            print(f"{last:,} turns made", flush=True)
        cursor.execute("ANALYZE")


def sum_up() -> None:
    from gateway.history.rollups import mark_range, roll_up_all
    from gateway.models import RollupDay, RollupHour

    began = time.monotonic()
    hours = mark_range()
    marked = time.monotonic()
    roll_up_all()
    print(f"{hours:,} hours marked in {marked - began:.1f} s, summed up in {time.monotonic() - marked:.1f} s")
    print(f"{RollupHour.objects.count():,} rows by hour, {RollupDay.objects.count():,} by day")


def measure() -> None:
    from dashboard.queries.usage import GROUPS, UsageQuery, read_usage
    from dashboard.scope import RANGES, Scope
    from gateway.history.visibility import EVERYTHING

    now = datetime.datetime.now(datetime.UTC)
    for span, (title, _) in RANGES.items():
        for group in GROUPS:
            times = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                usage = read_usage(UsageQuery(group), Scope(span), EVERYTHING, now, lambda **changes: "")
                times.append((time.perf_counter() - began) * 1_000)
            times.sort()
            print(
                f"{title:9} by {group:11} {len(usage.rows):3} rows  median {times[len(times) // 2]:6.1f} ms  "
                f"p95 {times[int(len(times) * 0.95)]:6.1f} ms"
            )


if __name__ == "__main__":
    main()
