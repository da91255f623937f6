"""Tokens are counted beside the event loop, not on it."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.api import own_ways
from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect
from gateway.upstream import tokenizer

BODY = b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}'


async def test_the_loop_runs_while_tokens_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder goes on only when the loop has run meanwhile, which it cannot when it is the one that counts."""
    has_run = threading.Event()

    class Waiting:
        def encode_ordinary(self, text: str) -> list[int]:
            assert has_run.wait(10), "the loop stood still"
            return [0] * len(text)

    monkeypatch.setattr(tokenizer, "encoding", Waiting)
    request: Any = SimpleNamespace(dialect=Dialect.ANTHROPIC)
    counting = asyncio.ensure_future(own_ways.count(request, CODECS[Dialect.ANTHROPIC].decode_request(BODY)))
    asyncio.get_running_loop().call_later(0, has_run.set)
    reply: Any = await counting
    assert json.loads(reply.body)["input_tokens"] >= len("Hi")
