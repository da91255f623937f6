"""Runs an example as a person would, against the fake provider through a web process, and says what went wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.processes import ROOT, WebProcess
from tests.upstream import FakeProvider
from tests.upstream.content import DEFAULT_TEXT

FOLDER = ROOT / "examples"
KEY = "sk-ant-of-the-examples"
PROGRAMS = {".py": sys.executable, ".sh": "sh", ".mjs": "node"}
REQUESTS = {"text": 1, "stream": 1, "tools": 2}


def examples(*suffixes: str) -> list[str]:
    """Names below `examples/`, such as `python/text.py`."""
    found = (path for path in FOLDER.rglob("*") if path.suffix in suffixes)
    return sorted(str(path.relative_to(FOLDER)) for path in found)


def run_example(name: str, web: WebProcess, provider: FakeProvider) -> str | None:
    """None when it did what it should, else what it did."""
    provider.requests.clear()
    path = FOLDER / name
    environment = {item: value for item, value in os.environ.items() if not item.startswith(("ANTHROPIC_", "OPENAI_"))}
    done = subprocess.run(
        [PROGRAMS[path.suffix], str(path)],
        env=environment | {"ANTHROPIC_BASE_URL": web.url, "ANTHROPIC_API_KEY": KEY, "MODEL": "claude-opus-5-5"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    problem = wrong_with(Path(name), done.stdout, provider)
    return f"{problem}\n{done.stdout}\n{done.stderr}" if problem or done.returncode else None


def wrong_with(name: Path, output: str, provider: FakeProvider) -> str | None:
    kind = name.stem
    if len(provider.requests) != REQUESTS[kind]:
        return f"the provider saw {len(provider.requests)} requests"
    # As x-api-key, or behind "Bearer": which one is the SDK's choice.
    if not all(any(value.endswith(KEY.encode()) for _, value in seen.headers) for seen in provider.requests):
        return "the key did not arrive"
    # curl prints the events themselves, in which the text lies in pieces.
    expected = "message_stop" if name.match("curl/stream.sh") else DEFAULT_TEXT
    if expected not in output:
        return f"{expected!r} was not printed"
    if kind == "tools" and "get_weather" not in output:
        return "no tool was called"
    named = kind == "text" or name.match("*/stream.[pm]*")
    if named and not re.search(r"request|x-turnlog-request-id: [0-9a-f-]{36}", output):
        return "the request's id was not printed"
    return None
