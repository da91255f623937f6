"""docs/reliability.md: what must hold, and what the last run of each row saw. The run writes it; rows not run stay."""

from __future__ import annotations

import datetime
import re
import subprocess
from pathlib import Path

from tests.faults.registry import all_rows
from tests.faults.running import Result

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
LINE = re.compile(r"^\| (?P<id>[A-Z]+-\d+) .*\| (?P<result>[^|]*) \| (?P<date>[^|]*) \| (?P<commit>[^|]*) \|$", re.M)
NEVER = ("not run yet", "", "")

HEAD = """\
# Reliability

What Turnlog promises when things break, and what the last run of each promise saw. `make faults` runs them all: real
processes (the supervisor with everything below it, a fake provider, a load client), real faults (signals, PostgreSQL
held or stopped, a full disk, a TCP proxy that misbehaves), and a checker that compares the provider's book with that
of the client and with the history. While a row runs, the line `accepted = stored + spooled + dropped` is looked at
twice a second, and a wrong one fails the row. `python -m tests.faults --list` names the rows, `--quick` runs the short
form of those marked ⚡, `python -m tests.faults R-02` runs one. `--jobs 3` runs three at once, and then those that
promise times ({timed})
one by one: they need a machine that has nothing else to do. This table is written by the run (`--write`).
`python -m tests.faults.broken` breaks promises on purpose, in a copy of the tree (no flush of the spool, a stream held
back, headers dropped), and sees their rows fail.

Two promises about people are kept by tests of every commit and have no row here: who gets what at each address
(SEC-03, `tests/dashboard/test_access_table.py`: an address without a line in its table fails), and that who guesses
passwords waits (SEC-10, `tests/dashboard/test_sign_in.py`: 429 after five, whatever `X-Forwarded-For` says, while the
gateway serves on).

| row | what must hold | result | date | commit |
| --- | --- | --- | --- | --- |
"""


def write_report(results: list[Result], *, quick: bool, page: Path = PAGE) -> None:
    known = read_known(page)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
    for result in results:
        verdict = "PASS" if result.passed else "FAIL: " + cell(result.said.partition(" [kept:")[0])[:160]
        known[result.row.id] = (verdict + (" (short run)" if quick else ""), now, commit())
    lines = []
    for row in all_rows():
        mark = " ⚡" if row.quick else ""
        lines.append(f"| {row.id}{mark} | {cell(row.promise)} | {' | '.join(known.get(row.id, NEVER))} |\n")
    timed = ", ".join(row.id for row in all_rows() if row.timed)
    page.write_text(HEAD.format(timed=timed) + "".join(lines))


def read_known(page: Path) -> dict[str, tuple[str, str, str]]:
    text = page.read_text() if page.exists() else ""
    return {found["id"]: (found["result"], found["date"], found["commit"]) for found in LINE.finditer(text)}


def cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def commit() -> str:
    """The commit that was run, with a + when the tree has changes."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=7"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
