"""The tables: for the terminal and for docs/performance.md, whose measured part is replaced."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from bench.children import ROOT
from bench.demands import Verdict, loader_rate, longest_drain
from bench.results import Results
from bench.targets import BARE, DIRECT, NGINX
from bench.workloads import Workload

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
ABSENT = "-"

REQUEST_COLUMNS = (
    "of nginx", "of bare", "a second", "first byte added, p50 ms", "p99", "CPU µs", "waited %", "MiB", "errors",
)  # fmt: skip
EVENT_COLUMNS = (
    "of nginx", "of bare", "of ideal", "a second", "first byte added, p50 ms", "p99", "event delay added, p50 ms",
    "p99", "CPU µs", "waited %", "MiB", "errors",
)  # fmt: skip


def number(value: float | None, form: str = "{:.2f}") -> str:
    return ABSENT if value is None else form.format(value)


def row(results: Results, workload: Workload, target: str) -> list[str]:
    name = workload.name

    def median(figure: str, form: str) -> str:
        return number(results.median(name, target, figure), form)

    def added(figure: str) -> str:
        return number(None if target == DIRECT else results.added(name, target, figure))

    cells = [number(results.ratio(name, target, NGINX), "{:.3f}"), number(results.ratio(name, target, BARE))]
    if workload.events:
        cells.append(number(results.of_ideal(name, target)))
    cells += [median("rate", "{:,.0f}"), added("first_p50"), added("first_p99")]
    if workload.events:
        cells += [added("delay_p50"), added("delay_p99")]
    errors = sum(sample.errors for sample in results.of(name, target))
    waited = results.median(name, target, "waited")
    share = number(None if waited is None else waited * 100, "{:.0f}")
    return [target, *cells, median("cpu", "{:.1f}"), share, median("rss", "{:.0f}"), str(errors)]


def tables(results: Results) -> str:
    """Markdown, one table for each workload."""
    parts = []
    for workload in results.workloads.values():
        columns = EVENT_COLUMNS if workload.events else REQUEST_COLUMNS
        lines = [f"**{workload.name}**: {workload.title}, {workload.connections} at once; {workload.unit}", ""]
        lines += ["| target | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        for target in results.targets:
            if results.of(workload.name, target):
                lines.append("| " + " | ".join(row(results, workload, target)) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def history_line(results: Results) -> str:
    """What became of the rows."""
    status = results.status
    if status is None:
        return ""
    longest = longest_drain(results)
    small, large = loader_rate("json-16")(results), loader_rate("300k-4")(results)
    return (
        f"History: {results.sent} requests sent, {status['stored']} stored, {status['spooled']} spooled, "
        f"dropped {sum(status['dropped'].values())}; balanced: {'yes' if status['balanced'] else 'NO'}; "
        f"longest drain {number(longest, '{:.1f}')} s; loader {number(small, '{:,.0f}')} small turns/s, "
        f"{number(large, '{:,.0f}')} of 300 kB; "
        f"memory of `web` after the run {number(results.final_rss, '{:.0f}')} MiB."
    )


def verdict_lines(verdicts: list[Verdict]) -> str:
    return "\n".join(f"- {verdict.line()}" for verdict in verdicts)


def circumstances(rounds: int, *, slow: bool, load_before: float) -> str:
    tools = (
        "slow generator in Python (no C compiler): figures are limited by it" if slow else "C generator and provider"
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, {rounds} rounds, {processor()}, "
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}; "
        f"load average before the run {load_before:.1f}; {tools}."
    )


def commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n")
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_page(page: Path, measured: str) -> None:
    """Replace what stands between the two marks; the rest of the page is written by hand."""
    text = page.read_text()
    before, rest = text[: text.index(BEGIN)], text[text.index(END) :]
    page.write_text(f"{before}{BEGIN}\n{measured}\n{rest}")
