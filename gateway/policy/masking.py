"""Parts of a JSON body masked by where they stand, every other byte and the length of the whole left as they are.

A place is written as a JSON pointer (`/metadata/user_id/device_id`) or with dots; `*` stands for every element of a
list or every member of an object. A pointer goes on into a string that holds JSON, as `metadata.user_id` does. As the
length stays, what else is known about offsets in the body stays true.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.dialects.json_members import closes_at, elements_of, members_of

Pointer = tuple[str, ...]
Range = tuple[int, int]

EVERY: Final = "*"
STAR: Final = b"*"
ESCAPES: Final = {
    b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t",
}  # fmt: skip
DEEPEST: Final = 20


class Unmaskable(ValueError):
    """The body is not read to its end, so that nobody knows whether everything was found."""


def read_pointer(text: str) -> Pointer:
    """Raises ValueError."""
    if text.startswith("/"):
        parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))
    else:
        parts = tuple(text.split("."))
    if not all(parts) or len(parts) > DEEPEST:
        raise ValueError(f"{text!r} is no place in a body; write /metadata/user_id/device_id or safeguards")
    return parts


def mask(body: bytes, pointers: tuple[Pointer, ...]) -> bytes:
    """The body with what stands at the pointers as stars. Raises Unmaskable when it cannot be read as JSON."""
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Unmaskable("it is not JSON that can be read to its end") from None
    masked = bytearray(body)
    for pointer in pointers:
        for start, end in places(body, pointer):
            masked[start:end] = stars(body[start:end], quoted=True)
        for start, end, rest in strings(body, pointer):
            mask_within(masked, start, end, rest)
    return bytes(masked)


def places(body: bytes, pointer: Pointer) -> list[Range]:
    """Where the values the pointer leads to lie, in bytes."""
    found = [(0, len(body))]
    for step in pointer:
        found = [inner for outer in found for inner in children(body, outer, step)]
    return found


def strings(body: bytes, pointer: Pointer) -> Iterator[tuple[int, int, Pointer]]:
    """The strings on the way, which may hold JSON, and what of the pointer is left there."""
    for depth in range(1, len(pointer)):
        for start, end in places(body, pointer[:depth]):
            if body[start : start + 1] == b'"':
                yield start, end, pointer[depth:]


def children(body: bytes, outer: Range, step: str) -> Iterator[Range]:
    start, end = outer
    text = body[start:end].lstrip()
    start = end - len(text)
    if text[:1] == b"[":
        for number, (first, last) in enumerate(elements_of(body, start, end)):
            if step in (EVERY, str(number)):
                yield first, last
    elif text[:1] in (b"{", b"\xef"):
        last = 0
        for key, first, last in members_of(text):
            if step == EVERY or read_key(key) == step:
                yield start + first, start + last
        if last and not closes_at(text.rstrip(), last):
            raise Unmaskable("an object in it is not read to its end")


def read_key(key: bytes) -> str:
    return str(msgspec.json.decode(key)) if b"\\" in key else key[1:-1].decode("utf-8", "replace")


def stars(value: bytes, *, quoted: bool) -> bytes:
    """As long as the value, and a value: a string stays one, anything else becomes one where it is long enough."""
    size = len(value)
    if value[:1] == b'"':
        return b'"' + STAR * (size - 2) + b'"'
    return b'"' + STAR * (size - 2) + b'"' if quoted and size > 2 else b"1" * size


def mask_within(masked: bytearray, start: int, end: int, rest: Pointer) -> None:
    """In a string that holds JSON: its escapes are undone to look, and it is masked as it is written."""
    inner, where = unescaped(bytes(masked[start + 1 : end - 1]))
    if inner[:1] not in (b"{", b"["):
        return
    where = [start + 1 + place for place in where]
    for first, last in places(inner, rest):
        if inner[first : first + 1] == b'"':
            begin, finish = where[first + 1], where[last - 1]
            masked[begin:finish] = STAR * (finish - begin)
        else:
            begin, finish = where[first], where[last]
            masked[begin:finish] = stars(inner[first:last], quoted=False)


def unescaped(raw: bytes) -> tuple[bytes, list[int]]:
    """What the inside of a JSON string says, and where in it each byte of that is written; one more for the end."""
    said, where, place = bytearray(), [], 0
    while place < len(raw):
        size, text = 1, raw[place : place + 1]
        if text == b"\\":
            size, text = read_escape(raw, place)
        said += text
        where += [place] * len(text)
        place += size
    return bytes(said), [*where, place]


def read_escape(raw: bytes, place: int) -> tuple[int, bytes]:
    kind = raw[place + 1 : place + 2]
    if kind != b"u":
        return 2, ESCAPES.get(kind, b"?")
    return 6, chr(int(raw[place + 2 : place + 6], 16)).encode("utf-8", "replace")
