"""What is searched of a part: its text, its words, and the trigrams by which any piece of text is found.

Words are runs of letters and digits in lower case. Trigrams are taken of the text in lower case with every run of
anything else but letters and digits as one space, and hashed to 14 bits: that halves what they take and keeps the index
of a small history small, and what a wrong candidate costs is one look at its text, which every candidate of a substring
gets anyway.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from gateway.dialects import said_text
from gateway.dialects.json_values import object_or_none, objects_of
from gateway.dialects.tool_calls import tool_calls, tool_results

SEARCHED: Final = 400_000
"""Characters of one part that are searched. What lies behind is not found."""
SHORTEST_WORD, LONGEST_WORD = 2, 32
MOST_WORDS: Final = 8_000
"""Of one part: PostgreSQL's tsvector holds no more than a megabyte of them."""
SHORTEST_PIECE: Final = 3
LONGEST_PATH: Final = 200
_BITS: Final = (1 << 14) - 1

_WORD: Final = re.compile(rf"(?<![^\W_])[^\W_]{{{SHORTEST_WORD},{LONGEST_WORD}}}(?![^\W_])")
_FOLD: Final = re.compile(rb"[^a-z0-9\x80-\xff]++")
_SEPARATOR: Final = re.compile(r"[/\\]")


def text_of(value: Any) -> str:
    """Everything a part says in words, as far as it is searched."""
    return said_text.text_of(value, SEARCHED)


def words_of(text: str) -> set[str]:
    found = set(_WORD.findall(text.lower()))
    return found if len(found) <= MOST_WORDS else set(sorted(found)[:MOST_WORDS])


def folded(text: str) -> bytes:
    """The bytes that trigrams are taken of."""
    return _FOLD.sub(b" ", text.lower().encode("utf-8", "replace"))


def trigrams_of(text: str, key: bytes = b"") -> list[int]:
    """Sorted 14-bit numbers, each once; with a key nobody without it can tell which text they stand for."""
    data = folded(text)
    found = set(zip(data, data[1:], data[2:], strict=False))
    if key:
        return sorted({_keyed(bytes(gram), key) for gram in found})
    return sorted({(x * 0x9E37 + y * 0x79B9 + z * 0x1F35) >> 2 & _BITS for x, y, z in found})


def _keyed(gram: bytes, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2s(gram, key=key, digest_size=2).digest(), "big") & _BITS


def labels_of(value: Any) -> set[str]:
    """What a part is found by beside its words: `tool=read`, `path=/src/a.py`, `path=a.py`, `failed`."""
    found: set[str] = set()
    for call in tool_calls(value):
        if call.name:
            found.add(f"tool={call.name.lower()[:LONGEST_PATH]}")
        if call.file:
            found |= path_labels(call.file)
    if any(result.is_error for result in tool_results(value)):
        found.add("failed")
    return {label for label in found if "\0" not in label}


def path_labels(path: str) -> set[str]:
    """The whole path and its last part."""
    lowered = path.lower()[-LONGEST_PATH:]
    name = _SEPARATOR.split(lowered)[-1]
    return {f"path={lowered}", f"path={name}"}


def tools_and_paths(value: Any) -> tuple[list[str], list[str]]:
    """As they are spelled: names of the tools called, and the files they name."""
    calls = list(tool_calls(value))
    return [call.name for call in calls if call.name], [call.file for call in calls if call.file]


def role_in(value: Any) -> str:
    """Of a message; of a list of items, that of the first."""
    items = objects_of(value) if isinstance(value, list) else [object_or_none(value) or {}]
    return next(
        (str(item.get("role") or item.get("type")) for item in items if item.get("role") or item.get("type")), ""
    )
