"""What a large configuration costs: CPU for each request with 1 000 keys and 200 routes, beside the same with none.

    python -m bench.configured [--seconds 40] [--keys 1000] [--routes 200]

One recording `manage.py web` that has both configurations and takes turns with itself (bench/alternating.py). The
routes are exact names, patterns, and routes by key and by header for the very model that is asked for, none of which
holds: it fits the last route. Every request carries the last key. CPU time is that of the process; the ratio is the
median of those of neighbouring turns. Exit status 0: it costs at most 10 % more.
"""

from __future__ import annotations

import argparse
import http.client
import os
import sys
import tempfile
from pathlib import Path

from bench.__main__ import CACHE, positive
from bench.programs import find_programs
from bench.session import Plan, Session, prepared
from bench.targets import ON, Target
from bench.turns import in_turn
from bench.workloads import json

BOUND = 1.10
KEY_VARIABLE = "BENCH_KEY"
KEY = "sk-ant-api03-bench"
"""What `bodies.headers` sends."""
NONE = "providers: []\nroutes: []\napi_keys: []\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m bench.configured", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="how long is asked (40)")
    parser.add_argument("--keys", type=positive, default=1000, help="how many (1000)")
    parser.add_argument("--routes", type=positive, default=200, help="how many (200)")
    options = parser.parse_args()
    os.environ[KEY_VARIABLE] = KEY
    plan = Plan([], [ON], [], 1, 0)
    with tempfile.TemporaryDirectory(prefix="turnlog-configured-") as name:
        # PostgreSQL runs as another account when we are root, and must be able to walk to its data.
        os.chmod(name, 0o755)
        with prepared(plan, find_programs(CACHE), Path(name), CACHE) as session:
            session.warm_up()
            return compare(session, options)


def compare(session: Session, options: argparse.Namespace) -> int:
    documents = {"none": NONE, "configured": document(options.keys, options.routes)}
    found = in_turn(session, documents, refuses_a_stranger, options.seconds)
    held = found.ratio <= BOUND
    print(
        f"{'held' if held else 'NOT HELD'}: with {options.keys} keys and {options.routes} routes a request costs"
        f" {found.ratio:.3f} times the CPU of one with none (at most {BOUND:.2f}); {found.told}"
    )
    return 0 if held else 1


def refuses_a_stranger(target: Target) -> bool:
    """A stranger's key opens an open gateway and no keyed one."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
    try:
        connection.request("POST", target.path, json(1, 0).make_body(), {"x-api-key": "a-stranger"})
        return connection.getresponse().status == 401
    finally:
        connection.close()


def document(keys: int, routes: int) -> str:
    """A quarter of the routes each: exact names, patterns, and, for the model that is asked for, keys and headers."""
    quarter = routes // 4
    exact = [f"- {{match: model-{number}, provider: anthropic}}" for number in range(quarter)]
    patterns = [f'- {{match: "family-{number}-*", provider: anthropic}}' for number in range(quarter)]
    by_key = [conditional(f"k{number}", f"keys: [key-{number % (keys - 1)}]") for number in range(quarter)]
    by_header = [
        conditional(f"h{number}", f"headers: {{x-project: p-{number}}}") for number in range(routes - 3 * quarter - 1)
    ]
    others = [f"- {{name: key-{number}, generate: true}}" for number in range(keys - 1)]
    return "\n".join(
        [
            "providers:",
            "- {name: anthropic, dialect: anthropic, credentials: [{name: own, secret: sk-ant-api03-of-the-gateway}]}",
            "routes:",
            *exact,
            *patterns,
            *by_key,
            *by_header,
            '- {name: zz, match: "bench-*", provider: anthropic}',
            "api_keys:",
            *others,
            f"- {{name: bench, key_env: {KEY_VARIABLE}}}",
            "",
        ]
    )


def conditional(name: str, condition: str) -> str:
    return f'- {{name: {name}, match: "bench-*", provider: anthropic, {condition}}}'


if __name__ == "__main__":
    sys.exit(main())
