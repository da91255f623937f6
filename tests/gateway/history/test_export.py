"""`history export`: what comes out is what went in, in formats that other tools open."""

from __future__ import annotations

import base64
import gzip
import io
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet
from django.core.management import CommandError, call_command
from django.db import connection

from gateway.history.export import exchanges as reading
from gateway.history.export import parquet
from gateway.history.queries import recent
from gateway.history.store import rebuild_request, rebuild_response
from tests.exchanges import Sample, keep
from tests.gateway.history.recorded import START, keep_session

pytestmark = pytest.mark.django_db


def export(tmp_path: Path, *arguments: str) -> bytes:
    target = tmp_path / f"out-{uuid.uuid4().hex}"
    call_command("history", "export", "--output", str(target), *arguments, stderr=io.StringIO())
    return target.read_bytes()


def exported_lines(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(tmp_path, *arguments).splitlines()]


def test_each_line_holds_the_exact_bytes_of_both_directions(tmp_path: Path) -> None:
    ids = keep_session("claude_three_turns") + keep_session("codex_shell_tool", start=START + timedelta(hours=1))
    lines = exported_lines(tmp_path)
    assert [line["id"] for line in lines] == [str(id) for id in ids]
    for id, line in zip(ids, lines, strict=True):
        assert line["request_body"]["text"].encode() == rebuild_request(id)
        assert line["response_body"]["text"].encode() == rebuild_response(id)
        assert line["chunk_timings"]
    assert lines[0]["usage"]["cache_read_input_tokens"] == 9844


def test_a_body_that_is_no_text_is_base64_and_an_encoded_answer_is_both(tmp_path: Path) -> None:
    answer = gzip.compress(b'{"type":"message","content":[]}')
    headers = [("content-type", "application/json"), ("content-encoding", "gzip")]
    keep([Sample(b"\xff\x00not text", [answer], response_headers=headers)])
    (line,) = exported_lines(tmp_path)
    assert base64.b64decode(line["request_body"]["base64"]) == b"\xff\x00not text"
    assert base64.b64decode(line["response_body"]["base64"]) == answer
    assert line["response_body"]["text"] == '{"type":"message","content":[]}'


def test_filters_and_times_choose_what_is_exported(tmp_path: Path) -> None:
    ids = keep_session("claude_overloaded_retry", gaps=(60,))
    later = keep_session("codex_shell_tool", start=START + timedelta(hours=1))
    assert [line["id"] for line in exported_lines(tmp_path, "--status", "529")] == [str(ids[0])]
    assert [line["id"] for line in exported_lines(tmp_path, "--client", "codex")] == [str(id) for id in later]
    bounds = ("--since", "2026-11-21T09:00:30", "--until", "2026-11-21T09:30")
    assert [line["id"] for line in exported_lines(tmp_path, *bounds)] == [str(ids[1])]
    bare = exported_lines(tmp_path, "--without-bodies")
    assert len(bare) == 4
    assert not any("request_body" in line for line in bare)


def test_a_har_archive_names_the_address_the_times_and_the_texts(tmp_path: Path) -> None:
    keep_session("claude_overloaded_retry")
    log = json.loads(export(tmp_path, "--format", "har"))["log"]
    assert (log["version"], log["creator"]["name"], len(log["entries"])) == ("1.2", "Turnlog", 2)
    refused, answered = log["entries"]
    assert refused["response"]["status"] == 529
    assert answered["request"]["url"] == "https://api.anthropic.com/v1/messages?beta=true"
    assert answered["request"]["queryString"] == [{"name": "beta", "value": "true"}]
    assert json.loads(answered["request"]["postData"]["text"])["model"] == "claude-opus-5-5"
    assert answered["response"]["content"]["text"].startswith("event: message_start")
    assert answered["response"]["content"]["size"] == answered["response"]["bodySize"]
    assert answered["time"] == pytest.approx(answered["timings"]["wait"] + answered["timings"]["receive"])
    for entry in log["entries"]:
        assert set(entry) >= {"startedDateTime", "time", "request", "response", "cache", "timings"}
        assert set(entry["timings"]) >= {"send", "wait", "receive"}


def test_an_export_of_nothing_is_still_a_whole_file(tmp_path: Path) -> None:
    assert export(tmp_path) == b""
    assert json.loads(export(tmp_path, "--format", "har"))["log"]["entries"] == []
    assert read_parquet(io.BytesIO(export(tmp_path, "--format", "parquet"))).read_all().num_rows == 0


def test_parquet_has_the_rows_with_types_and_unknown_is_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS_OF_A_GROUP", 2)
    monkeypatch.setattr(reading, "PAGE", 2)
    ids = keep_session("claude_subagents")
    keep([Sample({"model": "m"}, [], at=START + timedelta(hours=1), status=529)])
    table = read_parquet(io.BytesIO(export(tmp_path, "--format", "parquet"))).read_all()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    listed = recent(10)[::-1]
    for name in ("id", "model", "session_id", "agent_id", "status_code", "request_bytes", "stop_reason", "duration_ms"):
        assert columns[name] == [row[name] for row in listed], name
    assert columns["request_body"][0] == rebuild_request(ids[0])
    assert columns["response_body"][-1] is None
    assert columns["input_tokens"][-2:] == [4154, None]
    assert columns["started_at"][0] == START
    assert json.loads(columns["answer"][0])["role"] == "assistant"
    assert "interleaved-thinking-2025-05-14" in columns["betas"][0]


@pytest.mark.parametrize("format", ["jsonl", "har", "parquet"])
def test_a_damaged_body_is_told_and_does_not_end_the_export(tmp_path: Path, format: str) -> None:
    keep_session("claude_three_turns")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE gateway_storedbody SET data = 'x' WHERE id = (SELECT min(id::text)::uuid FROM gateway_storedbody)"
        )
    target = tmp_path / "out"
    with pytest.raises(CommandError, match="1 of them are damaged"):
        call_command("history", "export", "--format", format, "-o", str(target), stderr=io.StringIO())
    assert target.stat().st_size > 1000


def test_a_file_that_is_there_is_kept_and_half_a_file_is_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_session("claude_bash_tool")
    target = tmp_path / "out.jsonl"
    target.write_bytes(b"mine")
    with pytest.raises(CommandError, match="--force"):
        call_command("history", "export", "-o", str(target), stderr=io.StringIO())
    assert target.read_bytes() == b"mine"

    def fail(*arguments: object) -> bytes:
        raise RuntimeError("the database went away")

    with monkeypatch.context() as patched:
        patched.setattr(reading, "rebuild_request", fail)
        with pytest.raises(RuntimeError):
            call_command("history", "export", "-o", str(target), "--force", stderr=io.StringIO())
    assert target.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [target]
    call_command("history", "export", "-o", str(target), "--force", stderr=io.StringIO())
    assert len(target.read_bytes().splitlines()) == 2
    assert target.stat().st_mode & 0o077 == 0


def test_standard_output_is_the_default(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    keep_session("claude_bash_tool")
    call_command("history", "export", stderr=io.StringIO())
    assert len(capsysbinary.readouterr().out.splitlines()) == 2
