"""What a large configuration costs: CPU for each request with 1 000 keys and 200 routes, beside the same with none.

    python -m bench.configured [--rounds 5] [--seconds 1.5] [--keys 1000] [--routes 200]

One recording `manage.py web`, whose configuration is changed between the samples, as ops change it. The routes
are exact names, patterns, and routes by key and by header for the very model that is asked for, none of which holds: it
fits the last route. Every request carries the last key. CPU
time is that of the target's processes; the ratio is the median of those of the rounds. Exit status 0: it costs at most
10 % more.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.__main__ import CACHE, positive
from bench.load import LoadFailed, Sample
from bench.programs import find_programs
from bench.session import DRAIN_PATIENCE, Plan, Session, describe, prepared, tell
from bench.targets import ON
from bench.workloads import json

BOUND = 1.10
CONNECTIONS = 16
IN_FORCE_SECONDS = 10.0
KEY_VARIABLE = "BENCH_KEY"
KEY = "sk-ant-api03-bench"
"""What `bodies.headers` sends."""
NONE = "providers: []\nroutes: []\napi_keys: []\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m bench.configured", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=positive, default=5, help="how many (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a sample (1.5)")
    parser.add_argument("--keys", type=positive, default=1000, help="how many (1000)")
    parser.add_argument("--routes", type=positive, default=200, help="how many (200)")
    options = parser.parse_args()
    os.environ[KEY_VARIABLE] = KEY
    plan = Plan([], [ON], [], options.rounds, 0)
    with tempfile.TemporaryDirectory(prefix="turnlog-configured-") as name:
        # PostgreSQL runs as another account when we are root, and must be able to walk to its data.
        os.chmod(name, 0o755)
        with prepared(plan, find_programs(CACHE), Path(name), CACHE) as session:
            session.warm_up()
            return compare(session, options)


def compare(session: Session, options: argparse.Namespace) -> int:
    """Each round begins with the configuration that is in force, so that it is changed once in each."""
    documents = {"none": NONE, "configured": document(options.keys, options.routes)}
    samples: dict[str, list[Sample]] = {name: [] for name in documents}
    for number in range(options.rounds):
        names = sorted(documents, reverse=number % 2 == 0)
        for name in names:
            configure(session, documents[name], keyed=name == "configured")
            sample = session.generator.run(session.targets[0], json(CONNECTIONS, options.seconds))
            settle(session)
            tell(f"round {number + 1}/{options.rounds} {name:12} {describe(sample, json(CONNECTIONS, 0))}")
            if sample.errors:
                raise LoadFailed(f"{sample.errors} errors with configuration {name}: {sample.complaint}")
            samples[name].append(sample)
    ratios = [more.cpu / less.cpu for more, less in zip(samples["configured"], samples["none"], strict=True)]  # type: ignore[operator]
    ratio = statistics.median(ratios)
    held = ratio <= BOUND
    print(
        f"{'held' if held else 'NOT HELD'}: with {options.keys} keys and {options.routes} routes a request costs"
        f" {ratio:.3f} times the CPU of one with none (at most {BOUND:.2f});"
        f" rounds: {', '.join(f'{found:.3f}' for found in ratios)}"
    )
    return 0 if held else 1


def configure(session: Session, text: str, *, keyed: bool) -> None:
    """In force when this returns: a stranger's key opens an open gateway and no keyed one."""
    assert session.store is not None
    path = session.store.data_dir / "configured.yaml"
    path.write_text(text)
    session.store.manage("config", "apply", str(path), "--prune", "--yes")
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while status_for_a_stranger(session) != (401 if keyed else 200):
        if time.monotonic() > deadline:
            raise LoadFailed("the configuration did not come into force")
        time.sleep(0.05)


def status_for_a_stranger(session: Session) -> int:
    target = session.targets[0]
    connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
    try:
        connection.request("POST", target.path, json(1, 0).make_body(), {"x-api-key": "a-stranger"})
        status = connection.getresponse().status
    finally:
        connection.close()
    return status


def settle(session: Session) -> None:
    """Let the loader catch up: it takes nothing from the next sample then."""
    assert session.store is not None
    deadline = time.monotonic() + DRAIN_PATIENCE
    while session.store.status()["spooled"]:
        if time.monotonic() > deadline:
            raise LoadFailed("the loader did not catch up")


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
