"""`previous_response_id` undone: a request with everything said before it, as if the caller had sent it all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.dialects.json_members import members_of
from gateway.dialects.json_values import JSONObject, objects_of
from gateway.dialects.raw_object import RawObject, read_object
from gateway.dialects.request_facts import Patch
from gateway.dialects.turn import Refused

Items = list[msgspec.Raw]


class Continued(msgspec.Struct, frozen=True):
    """What has to be looked up for a request. `references`: ids of items it names instead of sending them."""

    previous: str
    references: tuple[str, ...]
    keeps: bool
    """Whether the caller lets its response be kept: unless it says otherwise, yes."""


class KeptResponse(msgspec.Struct, frozen=True, array_like=True):
    """`input`: the items its request added to those of `previous`; `response`: the object as the caller got it."""

    previous: str
    input: list[msgspec.Raw]
    response: msgspec.Raw


def read_continuation(body: bytes) -> Continued | None:
    """None when the body is no request that can be read; whoever decodes it says why."""
    try:
        read = read_object(body)
        items = read.children("input") if read.kind_of("input") == "[" else []
        references = tuple(item.text("id") for item in items if item.text("type") == "item_reference")
        return Continued(read.text("previous_response_id"), references, read.flag("store") is not False)
    except Refused:
        return None


def own_input(body: bytes) -> Items:
    """The items of the request's own input; a bare string is a user's message."""
    read = read_object(body)
    if read.kind_of("input") == '"':
        message: Any = {"type": "message", "role": "user", "content": msgspec.Raw(read.json("input").encode())}
        return [msgspec.Raw(msgspec.json.encode(message))]
    return [msgspec.Raw(bytes(item.raw)) for item in read.children("input")]


def continue_request(body: bytes, before: Iterable[msgspec.Raw], known: dict[str, msgspec.Raw]) -> bytes:
    """The body with `before` in front of its input, and its references replaced by the items in `known`. Every other
    member stays as it came. Raises Refused for a reference to an item that is not known."""
    read = read_object(body)
    items = [*before, *(_resolved(RawObject(item), known) for item in own_input(body))]
    members: dict[str, Any] = dict(read.members)
    members["input"] = items
    return msgspec.json.encode(members)


def insert_conversation(body: bytes, before: Iterable[msgspec.Raw]) -> list[Patch]:
    """The same for a provider that is sent the caller's bytes: what is to be replaced in them. Ids of ours and sealed
    thoughts mean nothing there, and stay away."""
    items = b",".join(msgspec.json.encode(item) for item in _without_ids(before))
    places = {msgspec.json.decode(member.key): (member.start, member.end) for member in members_of(body)}
    start, end = places.get("previous_response_id", (0, 0))
    if "input" not in places:
        return [(start, end, b'null,"input":[%s]' % items)]
    first, last = places["input"]
    if body[first : first + 1] == b"[":
        is_empty = not body[first + 1 : last - 1].strip()
        into = [(first + 1, first + 1, items if is_empty or not items else items + b",")]
    else:
        said = b'{"type":"message","role":"user","content":'
        into = [(first, first, b"[" + (items + b"," if items else b"") + said), (last, last, b"}]")]
    return [(start, end, b"null"), *into]


def _without_ids(items: Iterable[msgspec.Raw]) -> list[JSONObject]:
    found = objects_of([msgspec.json.decode(item) for item in items])
    kept = [item for item in found if item.get("type") not in ("reasoning", "item_reference")]
    return [{name: value for name, value in item.items() if name != "id"} for item in kept]


def _resolved(item: RawObject, known: dict[str, msgspec.Raw]) -> msgspec.Raw:
    if item.text("type") != "item_reference":
        return msgspec.Raw(bytes(item.raw))
    found = known.get(item.text("id"))
    if found is None:
        raise Refused(f"The item {item.text('id')}, which the input refers to, was not found.", "input")
    return found


def output_items(response: bytes) -> Items:
    """The items of a response object, as they came."""
    return [msgspec.Raw(bytes(item.raw)) for item in RawObject(response).children("output")]


def with_ids(items: Iterable[msgspec.Raw], prefix: str) -> list[JSONObject]:
    """The items with an id each, as the list of input items has them."""
    found = objects_of([msgspec.json.decode(item) for item in items])
    return [{"id": f"{prefix}{number:04d}", **item} for number, item in enumerate(found)]


def input_page(items: list[JSONObject], limit: int, after: str, *, newest_first: bool) -> bytes:
    """One page of the list of input items, behind the item `after` if it is given."""
    ordered = items[::-1] if newest_first else items
    if after:
        places = [number for number, item in enumerate(ordered) if item["id"] == after]
        ordered = ordered[places[0] + 1 :] if places else []
    page = ordered[:limit]
    return msgspec.json.encode(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(ordered) > limit,
        }
    )


def by_id(items: Iterable[msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return {item_id: item for item in items if (item_id := RawObject(item).text("id"))}
