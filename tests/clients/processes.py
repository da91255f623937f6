"""The processes of the comparison: the fake provider and the gateway, each started as a person would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Poll until the condition is true; raises TimeoutError that says what was awaited."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {seconds:g} s in vain: {what}")


@dataclass
class Provider:
    url: str
    log: Path

    def plan(self, scenarios: tuple[str, ...]) -> None:
        """Clear what was planned, then do each of these to one model request."""
        self._control("DELETE", None)
        for scenario in scenarios:
            for path in ("/v1/messages", "/v1/responses", "/v1/chat/completions"):
                self._control("POST", {"scenario": scenario, "count": 1, "path": path})

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def _control(self, method: str, body: Any) -> None:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/_control", data=data, method=method)
        urllib.request.urlopen(request, timeout=5).read()


@contextmanager
def provider(directory: Path) -> Iterator[Provider]:
    log = directory / "provider.jsonl"
    command = [sys.executable, "-m", "tests.upstream", "--port", "0", "--log", str(log)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the provider did not say where it listens"
        yield Provider(found[0], log)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@dataclass
class Gateway:
    url: str
    environment: dict[str, str]

    def manage(self, *arguments: str) -> bytes:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed: {done.stderr.decode()}")
        return done.stdout

    def history(self, limit: int = 500) -> list[dict[str, Any]]:
        return json.loads(self.manage("history", "list", "--json", "--limit", str(limit)))

    def is_settled(self) -> bool:
        status = json.loads(self.manage("status", "--json"))
        return status["in_flight"] == 0 and status["spooled"] == 0 and status["balanced"]


@contextmanager
def gateway(directory: Path, provider_url: str, port: int, **settings: str) -> Iterator[Gateway]:
    """`make run` without make: the supervisor with everything below it, data in `directory`."""
    environment = {
        "PATH": os.environ["PATH"],
        "TURNLOG_DATA_DIR": str(directory / "data"),
        "TURNLOG_PORT": str(port),
        "TURNLOG_ANTHROPIC_URL": provider_url,
        "TURNLOG_OPENAI_URL": f"{provider_url}/v1",
        **settings,
    }
    output = (directory / "run.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run"], cwd=ROOT, env=environment, stdout=output, stderr=output
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: process.poll() is not None or answers(f"{url}/readyz"), "the gateway is ready", 180)
        assert process.poll() is None, (directory / "run.log").read_text()
        yield Gateway(url, environment)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        output.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False
