"""`make bench`: how fast Turnlog is, beside nginx, beside the smallest relay on its own transport, beside peers.

It does its own set-up: compiles its fake provider and load generator with `cc` (without one it uses slow ones in
Python), finds nginx or unpacks Debian's into .cache, starts PostgreSQL, the loader, `manage.py web` with recording and
without, and the bare relay. The target's processes have a core of their own. Every target gets every workload in each
round, in turn; figures are medians over rounds, ratios and differences are taken within a round.

The whole takes about half an hour, --quick a few minutes. Exit status 0: every number held.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from bench import report
from bench.children import ROOT, ChildFailed
from bench.demands import all_held, judge, unmeasured
from bench.load import LoadFailed
from bench.programs import find_programs
from bench.results import Results
from bench.session import Plan, prepared, tell
from bench.store import ManageFailed
from bench.targets import OWN, peer
from bench.workloads import Workload, many_streams, workloads

CACHE = ROOT / ".cache" / "bench"
PEERS = """
peers (start them beside; give both the same fake provider by --upstream-port):
  LiteLLM, from PyPI:  python -m venv litellm && litellm/bin/pip install 'litellm[proxy]'
    a config.yaml with  model_list: [{model_name: "*", litellm_params: {model: "anthropic/*",
    api_base: "http://127.0.0.1:PORT", api_key: x}}]
    LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true litellm/bin/litellm --config config.yaml --port 4000
    --peer litellm=http://127.0.0.1:4000
  Claude Code Router, from npm:  npx @musistudio/claude-code-router start  with a provider in its config whose
    api_base_url is http://127.0.0.1:PORT/v1/messages        --peer ccr=http://127.0.0.1:3456
The fake provider answers what the model's name asks for (bench-json, bench-stream-200-0, ...): a peer must pass it on.
"""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench", description=__doc__, epilog=PEERS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [workload.name for workload in workloads(quick=False)]
    parser.add_argument("--quick", action="store_true", help="two rounds, short windows")
    parser.add_argument("--rounds", type=positive, help="default 5; with --quick 2")
    parser.add_argument("--seconds", type=float, help="length of a window that is not paced (1.5; with --quick 0.5)")
    parser.add_argument(
        "--only", action="append", metavar="WORKLOAD", choices=names, help="may be repeated; " + ", ".join(names)
    )
    parser.add_argument("--targets", default=",".join(OWN), help="comma list of " + ", ".join(OWN))
    parser.add_argument("--peer", action="append", default=[], type=peer, metavar="NAME=URL", help="see below")
    parser.add_argument("--upstream-port", type=int, default=0, help="port of the fake provider (default: a free one)")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="then 1 000 streams for so long")
    parser.add_argument("--report", action="store_true", help="exit with 0 also when a number is not held")
    parser.add_argument("--slow-tools", action="store_true", help="do not compile; use the Python generator")
    parser.add_argument(
        "--page", type=Path, help="page to write the measured part of (whole runs: docs/performance.md)"
    )
    options = parser.parse_args(arguments)
    options.targets = [name for name in options.targets.split(",") if name]
    if unknown := set(options.targets) - set(OWN):
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}; there are {', '.join(OWN)}")
    return options


def positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("needs a whole number of one or more")
    return int(text)


def chosen(options: argparse.Namespace) -> list[Workload]:
    found = workloads(quick=options.quick, seconds=options.seconds)
    found = [workload for workload in found if not options.only or workload.name in options.only]
    if options.soak:
        found.append(many_streams(options.soak * 60, name="soak"))
    return found


def run(options: argparse.Namespace) -> int:
    # Unwinds like Ctrl-C, so that nothing that was started stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load_before = os.getloadavg()[0]
    plan = Plan(
        chosen(options), options.targets, options.peer, options.rounds or (2 if options.quick else 5),
        options.upstream_port,
    )  # fmt: skip
    programs = find_programs(CACHE, slow=options.slow_tools)
    directory = Path(tempfile.mkdtemp(prefix="turnlog-bench-"))
    # PostgreSQL, started by root, runs as another account, which must be able to walk to its cluster.
    directory.chmod(0o755)
    try:
        with prepared(plan, programs, directory, CACHE) as session:
            results = session.run(plan)
    except (ChildFailed, LoadFailed, ManageFailed) as failure:
        tell(str(failure))
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    verdicts = judge(results)
    missing = [] if options.only or set(options.targets) != set(OWN) else unmeasured(results)
    parts = [report.circumstances(plan.rounds, slow=programs.slow, load_before=load_before), report.tables(results)]
    parts += [report.history_line(results), report.verdict_lines(verdicts)]
    parts.append("\n".join(f"- NOT MEASURED: {title}" for title in missing))
    text = "\n\n".join(part for part in parts if part)
    print(text)
    write(options, results, text)
    return 0 if options.report or (all_held(verdicts) and not missing) else 1


def write(options: argparse.Namespace, results: Results, text: str) -> None:
    """Whole runs are kept."""
    whole = not (options.quick or options.only or options.slow_tools) and set(OWN) <= set(results.targets)
    page = options.page or (report.PAGE if whole else None)
    if page is not None:
        report.write_page(page, text)
        tell(f"written to {page}")


if __name__ == "__main__":
    sys.exit(run(parse(sys.argv[1:])))
