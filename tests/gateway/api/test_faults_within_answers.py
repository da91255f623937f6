"""What goes wrong in our own code while an answer goes by: the client has its answer or a clear end, never a raise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.api.live_news import LiveNews
from gateway.api.request import GatewayRequest, Receive
from gateway.api.streaming import ExchangeStream
from gateway.api.translating import TranslatedStream
from gateway.dialects import names
from gateway.dialects.answer import Failed
from gateway.dialects.names import Outcome
from gateway.recording.records import Translated
from tests.gateway.recording.recording import admission, make_recorder, new_id

SCOPE: dict[str, Any] = {"method": "POST", "path": "/v1/messages", "headers": [], "raw_path": b"/", "query_string": b""}
CHUNKS = [b"one", b"two", b"three"]


async def nothing() -> Any: ...


class Given:
    """An answer as httpx gives it."""

    def __init__(self) -> None:
        self.status_code = 200
        self.stream = self
        self.is_aborted = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    def abort(self) -> None:
        self.is_aborted = True


def answered(directory: Path) -> tuple[ExchangeStream, Given]:
    runtime: Any = SimpleNamespace(streams=set(), cutting=False, live=SimpleNamespace(watched=False))
    request = GatewayRequest(SCOPE, cast(Receive, nothing), runtime)
    stream = request.stream = ExchangeStream(request, make_recorder(directory).admit(new_id(), admission()))
    given = Given()
    stream.attach(cast(Any, given), events=False)
    return stream, given


class FailsAtTheSecond:
    seen = 0
    given_up = False

    def feed(self, chunk: bytes) -> None:
        self.seen += 1
        if self.seen == 2:
            raise ValueError(chunk)

    def give_up(self) -> None:
        self.given_up = True


class Sees:
    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self.chunks.append(chunk)


async def test_a_watch_that_fails_costs_the_client_nothing_and_other_watches_neither(tmp_path: Path) -> None:
    stream, _ = answered(tmp_path)
    failing, seeing = FailsAtTheSecond(), Sees()
    stream.watches = cast(Any, (failing, seeing))
    assert [chunk async for chunk in stream] == CHUNKS
    assert seeing.chunks == CHUNKS
    assert failing.given_up
    assert failing.seen == 2, "a watch that failed is not asked again"
    assert stream.outcome is Outcome.COMPLETED


async def test_what_the_live_pages_cannot_be_told_costs_no_record(tmp_path: Path) -> None:
    stream, _ = answered(tmp_path)
    live = LiveNews(stream.request.runtime)
    live.watched = True
    stream.request.runtime.live = live
    stream.request.facts = cast(Any, object())  # nothing of it can be described
    assert [chunk async for chunk in stream] == CHUNKS
    stream.close()
    assert stream.exchange._finished


class CannotTranslate:
    """A translator that says one thing, then meets what it was not made for."""

    streams = True
    final = None
    losses = ()

    def __init__(self, at: str) -> None:
        self.at = at
        self.failed: Failed | None = None

    def feed(self, chunk: bytes) -> bytes:
        if self.at == "feed" and chunk == CHUNKS[1]:
            raise KeyError("delta")
        return b"<%b>" % chunk

    def finish(self) -> bytes:
        raise KeyError("the end")

    def break_off(self, failed: Failed) -> bytes:
        self.failed = failed
        return b"<error>"


@pytest.mark.parametrize(
    ("at", "said"), [("feed", [b"<one>", b"<error>"]), ("finish", [b"<one>", b"<two>", b"<three>", b"<error>"])]
)
async def test_an_answer_that_cannot_be_translated_ends_with_the_callers_error(
    tmp_path: Path, at: str, said: list[bytes]
) -> None:
    stream, given = answered(tmp_path)
    translator = CannotTranslate(at)
    record = Translated(names.Dialect.CHAT.value, "plain", [])
    translated = TranslatedStream(stream, cast(Any, translator), cast(Any, given), record, None)
    await translated.prime()
    assert [chunk async for chunk in translated] == said
    assert translator.failed is not None
    assert "could not be translated" in translator.failed.message
    stream.close()
    assert stream.outcome is Outcome.UPSTREAM_ERROR
    assert given.is_aborted
