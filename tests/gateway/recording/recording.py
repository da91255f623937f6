"""Recording exchanges in tests: the real recorder, in this process or in one that can be killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import uuid_utils

from gateway.dialects.names import Outcome
from gateway.policy.redaction import Redactor
from gateway.recording.exchange import Exchange
from gateway.recording.recorder import Recorder
from gateway.recording.records import Admission

Result = TypeVar("Result")

CANARY = b"sk-ant-api03-canary0123456789"
HEADERS = [
    (b"Authorization", b"Bearer " + CANARY),
    (b"User-Agent", b"claude-cli/2.1.329 (external, sdk-cli)"),
    (b"X-Claude-Code-Session-Id", b"0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77"),
    (b"X-Team", b"blue"),
]
ANSWER_HEADERS = [
    (b"content-type", b"application/json"),
    (b"request-id", b"req_1"),
    (b"anthropic-organization-id", b"0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c78"),
    (b"anthropic-ratelimit-requests-remaining", b"49"),
]


def make_recorder(spool_dir: Path, policy: str = "available", **options: int) -> Recorder:
    options = {"max_bytes": 1 << 30} | options
    return Recorder(spool_dir, redactor=Redactor(b"pepper of the tests"), policy=policy, **options)


def new_id() -> bytes:
    return uuid_utils.uuid7().bytes


def admission(
    body: bytes = b"",
    path: str = "/v1/messages",
    query: str = "",
    headers: Sequence[tuple[bytes, bytes]] = (),
    dialect: str = "anthropic",
) -> Admission:
    return Admission(
        started_us=time.time_ns() // 1000,
        method="POST",
        path=path,
        query=query,
        dialect=dialect,
        provider="anthropic",
        access_key="",
        team="",
        client_address="127.0.0.1",
        http_version="1.1",
        headers=[*HEADERS, *headers],
        body_bytes=len(body),
        requested_model="claude-opus-5-5",
    )


def record(
    recorder: Recorder,
    body: bytes = b'{"model":"claude-opus-5-5"}',
    chunks: Sequence[bytes] = (b'{"type":"message",', b'"content":[]}'),
    *,
    path: str = "/v1/messages",
    answer_headers: Sequence[tuple[bytes, bytes]] = ANSWER_HEADERS,
    finish: bool = True,
    session: str | None = None,
) -> Exchange:
    """One exchange as the relay reports it."""
    admitted = admission(body, path)
    if session is not None:
        headers = [(b"x-claude-code-session-id", session.encode())]
        admitted = msgspec.structs.replace(admitted, headers=headers)
    exchange = recorder.admit(new_id(), admitted)
    exchange.request_body(body)
    exchange.response_head(200, answer_headers)
    for chunk in chunks:
        exchange.chunk(chunk)
    if finish:
        exchange.finish(Outcome.COMPLETED)
    return exchange


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.005)


async def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """The same, leaving the event loop free meanwhile."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@contextmanager
def living_recorder(spool_dir: Path, **options: int) -> Iterator[Recorder]:
    """A recorder in a test that is not asynchronous itself: its timers stand still, `write_out` takes their place."""
    with asyncio.Runner() as runner:
        recorder = make_recorder(spool_dir, **options)
        runner.run(recorder.start())
        try:
            yield recorder
        finally:
            runner.run(recorder.stop())


def write_out(recorder: Recorder) -> None:
    """Everything observed so far is in the files when this returns."""
    recorder.flush()
    wait_until(lambda: not recorder.backlog())


def with_recorder(spool_dir: Path, work: Callable[[Recorder], Result], **options: int) -> Result:
    """Run `work` with a recorder that lives as long as it."""

    async def run() -> Result:
        recorder = make_recorder(spool_dir, **options)
        await recorder.start()
        try:
            return work(recorder)
        finally:
            await recorder.stop()

    return asyncio.run(run())
