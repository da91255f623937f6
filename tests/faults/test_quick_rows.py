"""The harness itself, and a handful of its quickest rows on every run of the tests."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import compare
from tests.faults.client import ID_HEADER, LoadClient, Received
from tests.faults.nemesis import FaultProxy
from tests.faults.registry import Failed, all_rows
from tests.faults.report import read_known, write_report
from tests.faults.running import Result, run_row
from tests.upstream import FakeProvider

HANDFUL = ("R-02", "S-06", "S-09", "S-17", "SEC-13")
DONE = hashlib.sha256(b"done").hexdigest()
ASKED = hashlib.sha256(b"asked").hexdigest()


@pytest.mark.e2e
@pytest.mark.parametrize("id", HANDFUL)
async def test_quick_row(id: str) -> None:
    [row] = [row for row in all_rows() if row.id == id]
    result = await run_row(row, quick=True)
    assert result.passed, result.said


def books() -> tuple[list[dict[str, Any]], list[Received], list[dict[str, Any]]]:
    """One exchange as provider, client and history note it."""
    seen = {
        "request_headers": [[ID_HEADER.decode(), "one"]],
        "request_sha256": ASKED,
        "request_complete": True,
        "response_sha256": DONE,
        "response_finished": True,
    }
    received = Received("one", 0.0, ASKED, status=200, bytes=4, sha256=DONE, ending="whole")
    row = {
        "client_request_id": "one",
        "capture": "full",
        "outcome": "completed",
        "status_code": 200,
        "request_bytes": 5,
        "request_sha256": ASKED,
        "response_sha256": DONE,
    }
    return [seen], [received], [row]


def test_books_that_agree_pass() -> None:
    assert compare(*books()).startswith("1 rows for 1 requests")


@pytest.mark.parametrize("harm", ["lost", "twice", "strange", "request", "response", "relayed", "status"])
def test_the_checker_finds_what_does_not_agree(harm: str) -> None:
    seen, received, rows = books()
    if harm == "lost":
        rows.clear()
    elif harm == "twice":
        rows.append(dict(rows[0]))
    elif harm == "strange":
        rows.append(rows[0] | {"client_request_id": "nobody's"})
    elif harm == "request":
        rows[0]["request_sha256"] = DONE
    elif harm == "response":
        rows[0]["response_sha256"] = ASKED
    elif harm == "relayed":
        seen[0]["response_sha256"] = ASKED
    else:
        rows[0]["status_code"] = 500
    with pytest.raises(Failed):
        compare(seen, received, rows)


@pytest.mark.parametrize(
    ("mode", "cut_after", "ending"),
    [("pass", None, "whole"), ("refuse", None, "refused"), ("reset", None, "silent"), ("pass", 1500, "cut")],
)
async def test_the_client_notes_what_the_fault_proxy_does(
    tmp_path: Path, mode: str, cut_after: int | None, ending: str
) -> None:
    async with FakeProvider() as provider, FaultProxy(("127.0.0.1", provider.port)) as proxy:
        proxy.cut_after = cut_after
        await proxy.turn(mode)
        client = LoadClient("127.0.0.1", proxy.port, tmp_path / "book.jsonl")
        answer = await asyncio.wait_for(client.ask("slow;ms=2;events=30"), 10)
        assert answer.ending == ending
        assert (tmp_path / "book.jsonl").read_text().count(answer.id) == 1
        if ending == "whole":
            await provider.answered(1)
            assert answer.sha256 == provider.responses[0].sha256


def test_the_report_keeps_the_results_of_rows_that_were_not_run(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    first, second, *_ = all_rows()
    write_report([Result(first, True, "fine", 1.0)], quick=False, page=page)
    write_report([Result(second, False, "a | b [kept: /x]", 1.0)], quick=True, page=page)
    known = read_known(page)
    assert known[first.id][0] == "PASS"
    assert known[second.id][0] == "FAIL: a / b (short run)"
    assert set(known) == {row.id for row in all_rows()}
