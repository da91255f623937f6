"""A process that records until it is killed: `python -m tests.gateway.recording.writing_process SPOOL [LIMIT]`.

It prints the id of each exchange right after its admission, and `full` and `room` as the recorder refuses and resumes.
With LIMIT no file can grow beyond so many bytes, until SIGUSR1 lifts the limit: a disk that is full and has room again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import structlog

from gateway.dialects.names import Outcome
from gateway.recording.recorder import CaptureUnavailable
from tests.gateway.recording.recording import admission, make_recorder, new_id

OPEN_EXCHANGES = 20
CHUNK = b"x" * 200
SEGMENT_BYTES = 60_000


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def main(spool_dir: Path, limit: int | None, policy: str) -> None:
    lift = lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # noqa: E731
    signal.signal(signal.SIGUSR1, lift)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    recorder = make_recorder(spool_dir, policy)
    recorder.spool._segment_bytes = SEGMENT_BYTES
    await recorder.start()
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    say("started")
    opened = []
    had_room = True
    while not stop.is_set():
        with contextlib.suppress(CaptureUnavailable):
            exchange = recorder.admit(new_id(), admission(b"body"))
            say(("dropped " if exchange.muted else "kept ") + exchange.id_text)
            exchange.request_body(b"body")
            exchange.response_head(200, [])
            opened.append(exchange)
        if recorder.ready() != had_room:
            had_room = not had_room
            say("room" if had_room else "full")
        for one in opened:
            one.chunk(CHUNK)
        if len(opened) > OPEN_EXCHANGES:
            opened.pop(0).finish(Outcome.COMPLETED)
        await asyncio.sleep(0.002)
    for one in opened:
        one.finish(Outcome.INTERRUPTED_DRAIN)
    await recorder.stop()
    say("stopped")


if __name__ == "__main__":
    # Standard output is for the test that listens.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(
        main(
            Path(sys.argv[1]),
            int(sys.argv[2]) if len(sys.argv) > 2 else None,
            sys.argv[3] if len(sys.argv) > 3 else "available",
        )
    )
