"""The shapes of the events as typed structs: what is not in here is not looked at."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.json_values import NotJSONError, is_object, mend, read_json

ABSENT = msgspec.Raw(b"")


class Event(msgspec.Struct, gc=False):
    """Any event. What is an object stays as it came until it is needed."""

    type: str = ""
    delta: str = ""
    output_index: int = -1
    content_index: int = 0
    summary_index: int = 0
    item: msgspec.Raw = ABSENT
    part: msgspec.Raw = ABSENT
    response: msgspec.Raw = ABSENT
    annotation: msgspec.Raw = ABSENT
    error: Any = None
    code: Any = None
    message: Any = None


decode_event = msgspec.json.Decoder(Event).decode


def read_event(data: bytes) -> Event:
    """An event that `decode_event` does not take: fields of a wrong type count as absent. Raises NotJSONError."""
    value = read_json(data).value
    if not is_object(value):
        raise NotJSONError("JSON, but no object")
    value = mend(value)
    event = Event(error=value.get("error"), code=value.get("code"), message=value.get("message"))
    for name in ("type", "delta"):
        if isinstance(value.get(name), str):
            setattr(event, name, value[name])
    for name in ("output_index", "content_index", "summary_index"):
        if isinstance(value.get(name), int):
            setattr(event, name, value[name])
    for name in ("item", "part", "response", "annotation"):
        if is_object(value.get(name)):
            setattr(event, name, msgspec.Raw(msgspec.json.encode(value[name])))
    return event


def object_in(raw: msgspec.Raw) -> dict[str, Any]:
    """The object; an empty one when it is absent or something else."""
    try:
        value = msgspec.json.decode(raw) if raw else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}
