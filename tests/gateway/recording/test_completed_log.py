"""The line of `turnlog.metrics`, as the loader process writes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.recording.completed_log import line
from gateway.recording.recorder import Recorder
from gateway.recording.rows import RowBuilder
from proxy_project.environment import load_environment
from proxy_project.logs import logging_settings
from tests.exchanges import Sample
from tests.gateway.recording.conftest import ROOT
from tests.gateway.recording.recording import CANARY, record, wait_until, with_recorder

QUESTION = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "a"}] * 3, "stream": True}
ANSWER = (
    b'{"type":"message","model":"claude-opus-5-5-20261101","content":[],"stop_reason":"end_turn",'
    b'"usage":{"input_tokens":21,"output_tokens":7,"cache_read_input_tokens":0}}'
)


def test_the_fields_of_a_whole_exchange() -> None:
    sample = Sample(QUESTION)
    fields = line(RowBuilder().build(sample.recorded()))
    assert (fields["model"], fields["provider"], fields["status"]) == ("claude-opus-5-5", "anthropic", 200)
    assert (fields["outcome"], fields["messages"], fields["input_tokens"]) == ("completed", 3, 2_864)
    assert (fields["cache_read_tokens"], fields["cache_write_tokens"]) == (39_844, 412)
    assert fields["first_byte_ms"] == 900
    assert fields["duration_ms"] > fields["first_byte_ms"]
    json.dumps(fields)


def test_what_nobody_reported_is_null() -> None:
    fields = line(RowBuilder().build(Sample(b"no json", chunks=()).recorded()))
    unknown = ("first_byte_ms", "input_tokens", "output_tokens", "cache_read_tokens", "messages", "model")
    assert [fields[name] for name in unknown] == [None] * 6


LEVELS = {
    "off": ({}, "CRITICAL"),
    "on": ({"TURNLOG_METRICS_LOG": "1"}, "INFO"),
    "on where all else is quiet": ({"TURNLOG_METRICS_LOG": "1", "TURNLOG_LOG_LEVEL": "error"}, "INFO"),
    "off where all else is loud": ({"TURNLOG_LOG_LEVEL": "debug"}, "CRITICAL"),
}


@pytest.mark.parametrize("name", LEVELS)
def test_it_is_switched_alone(name: str) -> None:
    environ, level = LEVELS[name]
    assert logging_settings(load_environment(environ))["loggers"]["turnlog.metrics"] == {"level": level}


@pytest.mark.parametrize("style", ["json", "console"])
def test_the_loader_says_it_when_the_exchange_is_stored(spool_dir: Path, database_url: str, style: str) -> None:
    def ask(recorder: Recorder) -> str:
        return record(recorder, json.dumps(QUESTION).encode(), [ANSWER]).id_text

    exchange_id = with_recorder(spool_dir, ask)
    said = loader_log(spool_dir, database_url, style, exchange_id)
    [found] = [line for line in said.split("\n") if "request_completed" in line]
    assert CANARY.decode() not in said
    if style == "console":
        assert f"request_id={exchange_id}" in found
        assert "output_tokens=7" in found
        return
    fields: dict[str, Any] = json.loads(found)
    assert (fields["logger"], fields["level"], fields["request_id"]) == ("turnlog.metrics", "info", exchange_id)
    assert (fields["status"], fields["messages"], fields["output_tokens"]) == (200, 3, 7)
    assert (fields["cache_read_tokens"], fields["cache_write_tokens"]) == (0, None)


def loader_log(spool_dir: Path, database_url: str, style: str, exchange_id: str) -> str:
    """What a loader process says until it has told of this exchange and was stopped."""
    log = spool_dir.parent / "loader.log"
    variables = {"DATABASE_URL": database_url, "TURNLOG_METRICS_LOG": "1", "TURNLOG_LOG_FORMAT": style}
    command = [sys.executable, "manage.py", "loader", "--spool", str(spool_dir)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stderr=output)
    try:
        wait_until(lambda: exchange_id in log.read_text())
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(10)
    return log.read_text()
