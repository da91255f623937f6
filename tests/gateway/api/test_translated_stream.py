"""A translated stream on its short way: written in the moment a chunk comes, whether or not the client takes it."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.api.request import GatewayRequest, Receive
from gateway.api.streaming import ExchangeStream
from gateway.api.translating import TranslatedStream
from gateway.dialects.names import Dialect, Outcome
from gateway.dialects.profiles import PROFILES
from gateway.dialects.translation import AnswerTranslator, Translation, translate_answer, translate_request
from gateway.recording.records import Translated
from gateway.upstream.stream import WireStream
from tests.gateway.dialects.streams import chunks
from tests.gateway.recording.recording import admission, make_recorder, new_id

SCOPE: dict[str, Any] = {"method": "POST", "path": "/v1/messages", "headers": [], "raw_path": b"/", "query_string": b""}
WORDS = [{"choices": [{"delta": {"content": f"word {number} "}}]} for number in range(12)]
END = [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": {"completion_tokens": 12}}]
QUESTION = {"model": "m", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
WILLING = {"always": [True], "never": [False], "now and then": [True, False, False, True, True]}
SOUND = [chunks(each, done=False) for each in (*WORDS, *END)] + [chunks()]
FAULTY = [*SOUND[:5], b'data: {"error":{"message":"the engine died"}}\n\n']


class Connection:
    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class Keeps:
    """Stands where a response is kept that its caller may come back to."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def keep(self, response: bytes) -> None:
        self.kept.append(response)


class Watch:
    """Sees what the record sees."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self.chunks.append(chunk)


class Client:
    """A caller's connection, with the task that reads for it."""

    def __init__(self, directory: Path, plan: Translation, willing: list[bool]) -> None:
        runtime: Any = SimpleNamespace(streams=set(), cutting=False, live=SimpleNamespace(watched=False))
        request = GatewayRequest(SCOPE, cast(Receive, asyncio.sleep), runtime)
        self.source = ExchangeStream(request, make_recorder(directory).admit(new_id(), admission()))
        self.watch = Watch()
        self.source.watches = cast(Any, (self.watch,))
        self.wire = WireStream(Connection())
        response: Any = SimpleNamespace(status_code=200, stream=self.wire)
        self.source.attach(response, events=False)
        self.keeps = Keeps()
        translator = AnswerTranslator(plan, 200, "text/event-stream")
        record = Translated(plan.provider.value, "vllm", [])
        self.stream = TranslatedStream(self.source, translator, response, record, cast(Any, self.keeps))
        self.willing = itertools.cycle(willing)
        self.at_once: list[bytes] = []
        self.got: list[bytes] = []

    def take(self, said: bytes) -> bool:
        assert said, "an empty chunk would be the end of the body"
        if willing := next(self.willing):
            self.at_once.append(said)
            self.got.append(said)
        return willing

    async def read(self) -> None:
        await self.stream.prime()
        self.stream.pass_to(self.take)
        async for said in self.stream:
            self.got.append(said)

    async def answered(self, answer: list[bytes]) -> None:
        """Give it the provider's answer, its reader running as far as it can between two chunks."""
        reader = asyncio.create_task(self.read())
        for chunk in answer:
            self.wire.feed(chunk)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.wire.finish(None)
        await reader
        self.source.close()


def plan_for(caller: Dialect) -> Translation:
    question = QUESTION if caller is Dialect.ANTHROPIC else {"model": "m", "stream": True, "input": "Hi"}
    body = json.dumps(question).encode()
    return translate_request(caller, Dialect.CHAT, PROFILES["vllm"], body, model=None, tag="0" * 32)


@pytest.mark.parametrize("willing", WILLING)
@pytest.mark.parametrize("answer", [SOUND, FAULTY], ids=["sound", "faulty"])
@pytest.mark.parametrize("caller", [Dialect.ANTHROPIC, Dialect.RESPONSES], ids=str)
async def test_the_caller_gets_the_same_whether_it_takes_its_chunks_at_once(
    tmp_path: Path, caller: Dialect, answer: list[bytes], willing: str
) -> None:
    plan = plan_for(caller)
    client = Client(tmp_path, plan, WILLING[willing])
    await client.answered(answer)
    assert b"".join(client.got) == translate_answer(plan, 200, "text/event-stream", "", answer)[0]
    assert client.source.outcome is (Outcome.COMPLETED if answer is SOUND else Outcome.UPSTREAM_ERROR)
    assert len(client.keeps.kept) == (caller is Dialect.RESPONSES and answer is SOUND)
    assert client.watch.chunks == answer, "the record has the provider's bytes, each chunk once"


async def test_a_willing_caller_is_written_to_in_the_moment_a_chunk_comes(tmp_path: Path) -> None:
    client = Client(tmp_path, plan_for(Dialect.ANTHROPIC), WILLING["always"])
    await client.answered(SOUND)
    assert len(client.at_once) >= len(WORDS) - 2
