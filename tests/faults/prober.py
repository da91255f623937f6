"""Asks `/livez` twenty times a second from a process of its own: `python -m tests.faults.prober HOST PORT`.

The load client's own loop is as busy as the gateway's, and what it measures would be its own delay. Until standard
input ends; then a JSON list of [status, seconds] on standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import sys
import threading
import time
from collections.abc import AsyncIterator

from tests.clients.processes import ROOT
from tests.faults.registry import require

PAUSE_SECONDS = 0.05


@contextlib.asynccontextmanager
async def livez_times(host: str, port: int) -> AsyncIterator[list[float]]:
    """The seconds each answer took, filled in at the end; every one must be 200."""
    command = (sys.executable, "-m", "tests.faults.prober", host, str(port))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, **pipes)
    times: list[float] = []
    try:
        yield times
        said, _ = await process.communicate(b"")
        answers = json.loads(said)
        wrong = [status for status, _ in answers if status != 200]
        require(answers and not wrong, f"{len(wrong)} of {len(answers)} /livez were not 200: {wrong[:3]}")
        times += [seconds for _, seconds in answers]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def probe(host: str, port: int) -> list[tuple[int, float]]:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    connection = http.client.HTTPConnection(host, port, timeout=30)
    answers = []
    while not over.wait(PAUSE_SECONDS):
        began = time.monotonic()
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        answer.read()
        answers.append((answer.status, time.monotonic() - began))
    return answers


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(sys.argv[1], int(sys.argv[2]))))
