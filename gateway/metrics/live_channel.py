"""How `web` processes tell the dashboard what is under way: two notification channels of PostgreSQL.

Whoever looks asks on `turnlog_watch`, and again every few seconds; a `web` process tells on `turnlog_live` as long as
somebody has asked lately, and nothing otherwise. A notice is lost when a connection is: each process counts its own, so
that a listener sees that one is missing and asks for everything again (`hello`).

A notice is JSON: `p` the process and its start, `n` its number, `f` true for the first notice of everything under way,
`l` true for the last of those, `e` the events. Of an event `k` says what it is:

- `s`, a request has begun, and `u`, it has moved on: see `gateway/api/live_news.py` for the fields, of which `u` names
  those that changed;
- `e`, it is over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

WATCH_CHANNEL = "turnlog_watch"
LIVE_CHANNEL = "turnlog_live"
HELLO = "hello"
"""Asks for everything under way, besides."""
ASKED_SECONDS = 12.0
"""How long one question counts."""
ASK_AGAIN_SECONDS = 4.0
BEAT_SECONDS = 3.0
"""A process with nothing to tell says so as often, so that one that died is noticed."""
NOTICE_BYTES = 7_900
"""PostgreSQL takes less than 8 000."""

Event = dict[str, Any]

fast = msgspec.json.Encoder().encode


def encode(event: Event) -> bytes:
    """JSON. Half of a surrogate pair, which JSON can name and UTF-8 cannot, stays an escape."""
    try:
        return fast(event)
    except UnicodeEncodeError:
        return json.dumps(event, separators=(",", ":")).encode()


def notices(process: str, number: int, events: Sequence[Event], *, everything: bool = False) -> list[str]:
    """The texts of the notices that tell `events`, the first of them numbered `number`."""
    batches = list(batched(map(encode, events))) or [[]]
    last = len(batches) - 1
    told = []
    for at, batch in enumerate(batches):
        head = fast({"p": process, "n": number + at, "f": everything and at == 0, "l": everything and at == last})
        told.append(b"".join((head[:-1], b',"e":[', b",".join(batch), b"]}")).decode())
    return told


def batched(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """An event too long for a notice is left out."""
    batch: list[bytes] = []
    size = 0
    room = NOTICE_BYTES - 200
    for text in texts:
        if len(text) > room:
            continue
        if size + len(text) + 1 > room and batch:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    if batch:
        yield batch
