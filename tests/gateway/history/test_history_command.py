"""`manage.py history`: what a terminal sees of the history."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from gateway.history.queries import FILTERS, recent
from gateway.models import ChunkTiming, RequestLog, ResponseLog, StoredBody
from tests.gateway.history.conftest import ANSWER, keep

ROOT = Path(__file__).resolve().parents[3]
LIST_KEYS = {
    "id", "started_at", "method", "path", "dialect", "provider", "requested_model", "model", "status_code", "outcome",
    "is_streaming", "stop_reason", "usage", "first_byte_ms", "duration_ms", "session_id", "agent_id", "parent_agent_id",
    "client", "request_bytes", "response_bytes", "upstream_request_id", "organization_id", "cost_usd", "cost_note",
}  # fmt: skip
SHOW_KEYS = LIST_KEYS | {
    "request_headers", "response_headers", "rate_limits", "chunk_timings", "attempts", "stream_error", "message",
    "access_key", "team", "tags", "betas", "prompt_id", "request_class", "client_request_id", "thread_id", "turn_id",
    "window_id", "client_version", "user_agent", "message_count", "tool_count", "max_tokens", "routed_model", "tokens",
    "parse_warnings", "capture", "handling", "error_type", "error_message", "trace_id", "parent_span_id",
}  # fmt: skip


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("history", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def listed(*arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(run("list", "--json", *arguments)))


def test_the_list_is_one_array_newest_first_with_every_key(history: list[uuid.UUID]) -> None:
    rows = listed()
    assert [row["id"] for row in rows] == [str(id) for id in reversed(history)]
    assert set(rows[0]) == LIST_KEYS
    assert rows[0]["usage"] == {"output_tokens": 2}


def test_pages_follow_one_another_by_id(history: list[uuid.UUID]) -> None:
    first = listed("--limit", "2")
    second = listed("--limit", "2", "--before", first[-1]["id"])
    assert [row["id"] for row in first + second] == [str(id) for id in reversed(history[1:])]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--session", "0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77"), 5),
        (("--session", "another"), 0),
        (("--model", "claude-opus-5-5"), 5),
        (("--model", "another"), 0),
        (("--outcome", "completed"), 5),
        (("--outcome", "denied"), 0),
        (("--since", "1h"), 5),
        (("--since", "2999-01-01"), 0),
    ],
)
def test_filters_narrow_the_list(history: list[uuid.UUID], arguments: tuple[str, ...], count: int) -> None:
    assert len(listed(*arguments)) == count


def test_every_filter_is_a_column(history: list[uuid.UUID]) -> None:
    row = RequestLog.objects.values().order_by("-id").first()
    assert row is not None
    filters = {name: row[column] for name, column in FILTERS.items()}
    assert recent(1, **filters)[0]["id"] == str(row["id"])


def test_without_json_the_list_is_a_table(history: list[uuid.UUID]) -> None:
    lines = run("list").rstrip("\n").split("\n")
    assert len(lines) == 6
    assert lines[0].startswith("started (UTC)")
    assert str(history[-1]) in lines[1]


def test_nothing_recorded_steers_the_terminal(tmp_path: Path, transactional_db: None) -> None:
    keep(tmp_path / "spool", [b"{}"], path="/v1/\x1b[2Jmessages\r\nmore")
    assert "\x1b" not in run("list")
    assert "\r" not in run("list")


def test_show_has_every_key(history: list[uuid.UUID]) -> None:
    shown = json.loads(run("show", str(history[0]), "--json"))
    assert set(shown) >= SHOW_KEYS
    assert set(shown["chunk_timings"][0]) == {"index", "timestamp", "byteSize", "elapsedMs"}
    assert [timing["byteSize"] for timing in shown["chunk_timings"]] == [30, len(ANSWER) - 30]
    assert shown["message"]["stop_reason"] == "end_turn"
    assert ["content-type", "application/json"] in shown["response_headers"]
    assert "claude-opus-5-5" in run("show", str(history[0]))


@pytest.mark.parametrize(
    ("part", "expected"), [("request", b'{"model":"claude-opus-5-5","n":3}'), ("response", ANSWER)]
)
def test_raw_writes_the_exact_bytes(history: list[uuid.UUID], database_url: str, part: str, expected: bytes) -> None:
    finished = subprocess.run(
        [sys.executable, "manage.py", "history", "raw", str(history[3]), "--part", part],
        cwd=ROOT,
        env=environment(database_url),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert finished.stdout == expected


def environment(database_url: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": database_url}


@pytest.mark.parametrize("action", [("show",), ("raw", "--part", "request")])
def test_an_unknown_id_is_an_error(action: tuple[str, ...], db: None) -> None:
    with pytest.raises(CommandError, match="no exchange"):
        run(action[0], str(uuid.UUID(int=7)), *action[1:])


def test_verify_finds_nothing_wrong_in_an_intact_history(history: list[uuid.UUID]) -> None:
    assert run("verify") == ""


DAMAGE = {
    "a flipped byte": (
        "UPDATE gateway_storedbody SET data = set_byte(data, 12, get_byte(data, 12) # 1) WHERE part = 0",
        "request",
    ),
    "another hash": ("UPDATE gateway_storedbody SET sha256 = set_byte(sha256, 0, get_byte(sha256, 0) # 1)", "SHA-256"),
    "a body that is gone": ("DELETE FROM gateway_storedbody WHERE part = 1", "0 are there"),
    "a response that is gone": ("DELETE FROM gateway_responselog", "no row of its response"),
    "headers that are gone": ("DELETE FROM gateway_headerrecord", "no row of its headers"),
    "timings of another answer": ("UPDATE gateway_chunktiming SET count = count + 1", "timings"),
}


@pytest.mark.parametrize(("statement", "said"), DAMAGE.values(), ids=DAMAGE.keys())
def test_verify_names_what_is_wrong(history: list[uuid.UUID], statement: str, said: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    output = io.StringIO()
    with pytest.raises(CommandError, match="problems found") as failure:
        call_command("history", "verify", stdout=output, stderr=io.StringIO())
    assert failure.value.returncode == 1
    assert said in output.getvalue()
    assert all(str(id) in output.getvalue() for id in history)


def test_verify_finds_a_body_without_its_row(history: list[uuid.UUID]) -> None:
    RequestLog.objects.filter(id=history[1]).delete()
    for model in (ResponseLog, ChunkTiming):
        model.objects.filter(pk=history[1]).delete()
    assert StoredBody.objects.filter(id=history[1]).count() == 2
    output = io.StringIO()
    with pytest.raises(CommandError):
        call_command("history", "verify", stdout=output, stderr=io.StringIO())
    assert f"{history[1]}  has a body but no row" in output.getvalue()
