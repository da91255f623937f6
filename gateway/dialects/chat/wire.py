"""The shapes of Chat Completions' answers as typed structs: what is not in here is not looked at.

Servers speak this dialect loosely, so nothing is required and what could be of several types says so. A body that does
not fit even so is read leniently (`read_as`).
"""

from __future__ import annotations

from typing import Any, Final, get_type_hints

import msgspec

from gateway.dialects.json_values import (
    JSONObject,
    NotJSONError,
    is_object,
    mend,
    object_or_none,
    objects_of,
    read_json,
    text_or_none,
)


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class Custom(msgspec.Struct, gc=False):
    name: str | None = None
    input: str | None = None


class Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | int | None = None
    function: Function | None = None
    custom: Custom | None = None


class Delta(msgspec.Struct, gc=False):
    """`delta` of a chunk, or `message` of a whole answer."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Any] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: list[Any] | None = None


class Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: int | str | None = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk or a whole completion."""

    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[Choice] | None = None
    usage: dict[str, Any] | None = None
    x_groq: dict[str, Any] | None = None
    error: Any = None
    service_tier: str | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
_DELTA_FIELDS: Final = get_type_hints(Delta)


def read_chunk(data: bytes) -> Chunk:
    """A chunk or completion that `decode_chunk` does not take. Raises NotJSONError."""
    value = read_json(data).value
    if not is_object(value):
        raise NotJSONError("JSON, but no object")
    return _convert(mend(value))


def _convert(value: JSONObject) -> Chunk:
    """The lenient way: fields of a wrong type count as absent where the rest can be used."""
    choices = [_fit(choice) for choice in objects_of(value.get("choices"))]
    return Chunk(
        id=text_or_none(value.get("id")),
        model=text_or_none(value.get("model")),
        service_tier=text_or_none(value.get("service_tier")),
        choices=choices if isinstance(value.get("choices"), list) else None,
        usage=object_or_none(value.get("usage")),
        error=value.get("error"),
    )


def _fit(value: JSONObject) -> Choice:
    try:
        return msgspec.convert(value, Choice, strict=False)
    except msgspec.ValidationError:
        pass
    said = object_or_none(value.get("delta")) or object_or_none(value.get("message")) or {}
    fields = {name: _fit_field(name, said[name]) for name in Delta.__struct_fields__ if said.get(name) is not None}
    return Choice(delta=Delta(**fields), finish_reason=text_or_none(value.get("finish_reason")))


def _fit_field(name: str, value: Any) -> Any:
    try:
        return msgspec.convert(value, _DELTA_FIELDS[name], strict=False)
    except msgspec.ValidationError:
        return None
