"""Break things around a running gateway and see that it keeps its promises: `python -m tests.faults [ROW ...]`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.faults.registry import Row, all_rows
from tests.faults.report import write_report
from tests.faults.running import Result, run_one

LONGEST = ("R-04", "SEC-06")
"""Ten minutes and more; the others run beside them."""


def parse(rows: list[Row]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog="Exit status 0 when every row passed, else 1. Each row has processes and directories of its own; those "
        "of a row that failed are kept, and named.",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="such as R-01; none: all of them")
    parser.add_argument("--quick", action="store_true", help="the quick rows only, or short runs of the rows named")
    parser.add_argument("--list", action="store_true", help="say what rows there are and what each demands")
    parser.add_argument("--times", type=int, default=1, help="how often to run each (1)")
    parser.add_argument(
        "--jobs", type=int, default=1, help="rows at once (1); those that promise times come last, alone"
    )
    parser.add_argument("--write", action="store_true", help="note the results in docs/reliability.md")
    parser.add_argument("--keep", type=Path, help="keep every row's books, logs and data below this directory")
    options = parser.parse_args()
    unknown = sorted(set(options.rows) - {row.id for row in rows})
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; --list names them")
    return options


def run(rows: list[Row], options: argparse.Namespace) -> list[Result]:
    results = []
    for _ in range(options.times):
        for result in results_of(rows, options):
            say(f"{result.line()}\n")
            results.append(result)
            if options.write:
                write_report([result], quick=options.quick)
    return results


def results_of(rows: list[Row], options: argparse.Namespace) -> Iterator[Result]:
    """As they come. Rows that run at once have a process each: each drives its load from a loop of its own."""
    alone = [row for row in rows if row.timed or options.jobs == 1]
    together = sorted((row for row in rows if row not in alone), key=lambda row: row.id not in LONGEST)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, max_tasks_per_child=1) as pool:
        waiting = [pool.submit(run_one, row.id, options.quick, options.keep) for row in together]
        for done in as_completed(waiting):
            yield done.result()
    for row in alone:
        say(f"{row.id:7} …\r")
        yield run_one(row.id, options.quick, options.keep)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    rows = all_rows()
    options = parse(rows)
    chosen = [
        row for row in rows if (row.id in options.rows) or (not options.rows and (row.quick or not options.quick))
    ]
    if options.list:
        for row in chosen:
            say(f"{row.id:7}{'quick ' if row.quick else '      '}{row.promise}\n")
        return 0
    results = run(chosen, options)
    failed = [result for result in results if not result.passed]
    say(f"{len(results) - len(failed)} passed, {len(failed)} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
