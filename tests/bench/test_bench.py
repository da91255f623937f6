"""The bench works: its own tools agree with each other, the whole runs once, and what is not held fails the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import bodies, report
from bench.__main__ import CACHE
from bench.children import ROOT, announced_port, started
from bench.demands import all_held, judge, unmeasured
from bench.load import LoadGenerator, Sample
from bench.programs import Programs, find_programs
from bench.results import Results
from bench.targets import BARE, ON, Target, peer
from bench.workloads import Workload, burst, workloads
from bench.workloads import json as small_json

TOOLS = {"found on this machine": False, "in Python": True}


@pytest.fixture(params=list(TOOLS.values()), ids=list(TOOLS))
def programs(request: pytest.FixtureRequest) -> Programs:
    return find_programs(CACHE, slow=request.param)


def run_direct(programs: Programs, directory: Path, workload: Workload) -> Sample:
    log = directory / "upstream.log"
    with started([*programs.upstream, "0"], log, core=None) as upstream:
        target = Target("direct", "127.0.0.1", announced_port(upstream, log))
        return LoadGenerator(programs, directory, bodies.headers(), None).run(target, workload)


def test_every_small_answer_is_counted_once(programs: Programs, tmp_path: Path) -> None:
    sample = run_direct(programs, tmp_path, small_json(4, 0.2))
    assert sample.requests > 20
    assert (sample.errors, sample.complaint) == (0, "")
    assert sample.first_p99 >= sample.first_p50 > 0


def test_every_event_of_every_stream_is_seen(programs: Programs, tmp_path: Path) -> None:
    sample = run_direct(programs, tmp_path, burst(4, 0.2))
    assert sample.requests >= 4
    assert (sample.errors, sample.events) == (0, sample.requests * 200)
    assert sample.delay_p50 > 0


def test_a_stream_with_one_event_too_few_is_an_error(programs: Programs, tmp_path: Path) -> None:
    workload = Workload("short", "", 2, lambda: b'{"model":"bench-stream-19-0"}', 5, each=1, events=20)
    sample = run_direct(programs, tmp_path, workload)
    assert (sample.requests, sample.errors) == (0, 2)
    assert "19 events" in sample.complaint


def test_an_answer_of_another_length_is_an_error(programs: Programs, tmp_path: Path) -> None:
    workload = Workload("long", "", 1, lambda: b'{"model":"bench-stream-2-0"}', 5, each=1)
    assert run_direct(programs, tmp_path, workload).errors == 1


def test_a_large_body_arrives_whole(programs: Programs, tmp_path: Path) -> None:
    large = next(workload for workload in workloads(quick=True, seconds=0.2) if workload.name == "1400k-4")
    sample = run_direct(programs, tmp_path, large)
    assert sample.errors == 0
    assert sample.requests > 3


def test_large_bodies_have_the_size_they_are_named_for() -> None:
    body = bodies.conversation("bench-json", 300_000)
    assert 300_000 <= len(body) < 310_000
    assert body.startswith(b'{"model":"bench-json"')
    assert body.count(b"########") == 1
    assert json.loads(body)["tools"]


def test_turnlog_is_measured_and_loses_nothing() -> None:
    command = ["--quick", "--rounds", "1", "--seconds", "0.3", "--only", "json-16", "--targets", "turnlog", "--report"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TURNLOG_")}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert "HELD: rows lost: 0 " in done.stdout
    assert "HELD: wrong answers of Turnlog: 0 " in done.stdout
    assert "balanced: yes" in done.stdout
    stored = int(done.stdout.partition(" requests sent, ")[2].partition(" stored")[0])
    assert stored > 0


def sample(rate: float, cpu: float) -> Sample:
    return Sample(100, 0, 0, rate, 1.0, 2.0, 0.0, 0.0, cpu, 100.0, (100.0,), "")


def measured(*rounds: tuple[float, float]) -> Results:
    """Small JSON at 16 connections: (Turnlog's rate, the bare relay's) for each round."""
    results = Results()
    workload = small_json(16, 1.0)
    for ours, bare in rounds:
        results.add(workload, ON, sample(ours, 300.0))
        results.add(workload, BARE, sample(bare, 100.0))
    return results


def test_ratios_are_taken_within_a_round() -> None:
    results = measured((50, 100), (10, 20), (60, 1000))
    assert results.ratio("json-16", ON, BARE) == 0.5


def test_a_number_that_is_missed_fails_the_run_and_is_named() -> None:
    verdicts = judge(measured((30, 100)))
    assert not all_held(verdicts)
    assert any(
        verdict.line().startswith("NOT HELD: small JSON, 16 connections, of the bare relay's") for verdict in verdicts
    )


def test_numbers_that_hold_pass_the_run() -> None:
    verdicts = judge(measured((60, 100)))
    assert all_held(verdicts)
    assert "HELD: small JSON, 16 connections, µs of CPU a request: 300 (at most 480, goal 350, reached)" in [
        verdict.line() for verdict in verdicts
    ]


def test_what_a_whole_run_should_have_measured_is_missed() -> None:
    missing = unmeasured(measured((60, 100)))
    assert "rows lost" in missing
    assert "small JSON, 16 connections, µs of CPU a request" not in missing
    assert not any("LiteLLM" in title for title in missing)


def test_only_the_measured_part_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_page(page, "new")
    assert page.read_text() == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"


@pytest.mark.parametrize("text", ["litellm", "=http://127.0.0.1:1", "x=https://127.0.0.1:1", "x=127.0.0.1:4000"])
def test_a_peer_without_a_name_or_a_usable_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not NAME="):
        peer(text)
