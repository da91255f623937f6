"""What the grammars of the three streams have in common: an event read as an object, and its name checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gateway.dialects.json_values import JSONObject, is_object
from gateway.dialects.sse import ServerSentEvent


def objects_in(events: Iterable[ServerSentEvent], found: list[str], *, named: bool) -> Iterator[tuple[int, JSONObject]]:
    """Number and object of each event; what is wrong with an event as such is added to `found`.

    `named`: the dialect gives each event the name of its type.
    """
    for number, event in enumerate(events, 1):
        if not event.complete:
            found.append(f"event {number} is not ended by a blank line")
        try:
            payload = msgspec.json.decode(event.data)
        except (ValueError, RecursionError):
            found.append(f"event {number} is not JSON")
            continue
        if not is_object(payload):
            found.append(f"event {number} holds no object")
            continue
        if named and event.name.decode("latin-1") != payload.get("type"):
            found.append(f"event {number} is named {event.name!r} and is of type {payload.get('type')!r}")
        yield number, payload
