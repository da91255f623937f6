"""What header rules cost: CPU for each request with 100 of them live, beside the same with none.

    python -m bench.rules [--seconds 40] [--rules 100] [--acting 1]

One recording `manage.py web` that has both configurations and takes turns with itself (bench/alternating.py). All rules
are for every request, half of them on the way there and half on the way back; so many act (they set or block a header,
which is recorded), the others look at headers that are there, by text and by pattern, and find nothing, or name one
that is not there. CPU time is that of the process; the ratio is the median of those of neighbouring turns. Exit status
0: they cost at most 5 % more.
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

BOUND = 1.05
MARK = "x-bench-rules"
LOOKED_AT = {"request": ("user-agent", "anthropic-beta", "x-app"), "response": ("content-type", "date", "request-id")}


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m bench.rules", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="how long is asked (40)")
    parser.add_argument("--rules", type=positive, default=100, help="how many (100)")
    parser.add_argument("--acting", type=positive, default=1, help="how many of them change something (1)")
    options = parser.parse_args()
    plan = Plan([], [ON], [], 1, 0)
    with tempfile.TemporaryDirectory(prefix="turnlog-rules-") as name:
        # PostgreSQL runs as another account when we are root, and must be able to walk to its data.
        os.chmod(name, 0o755)
        with prepared(plan, find_programs(CACHE), Path(name), CACHE) as session:
            session.warm_up()
            try_out(session, options)
            return compare(session, options)


def try_out(session: Session, options: argparse.Namespace) -> None:
    """A rule goes live only after a dry run."""
    assert session.store is not None
    apply(session, document(options.rules, options.acting, "draft"))
    session.store.manage("headerrules", "dry-run", *names(options.rules), "--last", "1")


def compare(session: Session, options: argparse.Namespace) -> int:
    documents = {"none": "header_rules: []\n", "rules": document(options.rules, options.acting, "live")}
    found = in_turn(session, documents, is_marked, options.seconds)
    held = found.ratio <= BOUND
    print(
        f"{'held' if held else 'NOT HELD'}: with {options.rules} header rules, of which {options.acting} act, a request"
        f" costs {found.ratio:.3f} times the CPU of one with none (at most {BOUND:.2f}); {found.told}"
    )
    return 0 if held else 1


def apply(session: Session, text: str) -> None:
    assert session.store is not None
    path = session.store.data_dir / "rules.yaml"
    path.write_text(text)
    session.store.manage("config", "apply", str(path), "--prune", "--yes")


def is_marked(target: Target) -> bool:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
    try:
        connection.request("POST", target.path, json(1, 0).make_body(), {"x-api-key": "a-stranger"})
        return connection.getresponse().getheader(MARK) is not None
    finally:
        connection.close()


def names(count: int) -> list[str]:
    return [f"rule-{number:03}" for number in range(count)]


def document(rules: int, acting: int, state: str) -> str:
    lines = [
        f"- {{name: {name}, state: {state}, {acts(number) if number < acting else looks(number)}}}"
        for number, name in enumerate(names(rules))
    ]
    return "\n".join(["header_rules:", *lines, ""])


def acts(number: int) -> str:
    if number == 0:
        return f'direction: response, header: {MARK}, action: set, value: "on"'
    if number == 1:
        return "direction: request, header: x-stainless-os, action: block"
    direction = ("request", "response")[number % 2]
    return f"direction: {direction}, header: x-bench-{number}, action: set, value: v{number}"


def looks(number: int) -> str:
    direction = ("request", "response")[number % 2]
    header = LOOKED_AT[direction][number // 2 % 3]
    if number % 3 == 0:
        return f"direction: {direction}, header: x-absent-{number}, action: block"
    if number % 3 == 1:
        return f'direction: {direction}, header: {header}, action: replace, find: "nothing-{number}-there", value: ""'
    pattern = f"nothing-{number}-[a-z]+"
    return f'direction: {direction}, header: {header}, action: replace, find: "{pattern}", is_pattern: true, value: ""'


if __name__ == "__main__":
    sys.exit(main())
