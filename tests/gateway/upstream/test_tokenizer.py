"""The tokenizer counts as the real one does, downloads nothing and does not hold the event loop up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import tiktoken.load

from gateway.upstream import tokenizer


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 9),
        ("<|endoftext|>", 7),
    ],
)
def test_known_texts_have_their_known_count(text: str, tokens: int) -> None:
    """The figures are OpenAI's published examples for cl100k_base; a special token's text is counted as text."""
    assert tokenizer.count([text]) == tokens


def test_the_ranks_are_read_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = tiktoken.load.read_file

    def note(path: str) -> bytes:
        read.append(path)
        return original(path)

    monkeypatch.setattr(tiktoken.load, "read_file", note)
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    tokenizer.encoding.cache_clear()
    assert tokenizer.count(["hello"]) == 1
    assert read
    assert not any("://" in path for path in read)


async def test_a_long_text_without_a_break_lets_the_loop_run() -> None:
    tokenizer.encoding()
    running = asyncio.create_task(tokenizer.count_tokens(["a" * 2_000_000, "word " * 400_000]))
    longest = 0.0
    while not running.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before)
    assert await running > 600_000
    assert longest < 0.5


async def test_calls_at_once_are_all_answered() -> None:
    found: list[Any] = await asyncio.gather(*(tokenizer.count_tokens(["word " * n]) for n in range(25)))
    assert found == [tokenizer.count(["word " * n]) for n in range(25)]
