"""A whole response as a neutral answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.answer import Answer, Failed, Stop, StopReason
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import describe_page, read_failure
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, object_or_none, read_json, text_or_none
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.raw_object import RawObject
from gateway.dialects.responses.input_items import CALLS
from gateway.dialects.responses.parts import decode_content
from gateway.dialects.responses.usage import read_usage
from gateway.dialects.turn import Part, Refusal, Refused, Request, Text, ToolCall, Unknown

_INCOMPLETE: Final = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.REFUSAL,
}
_UNFINISHED: Final = frozenset({"queued", "in_progress", "cancelled", "canceled"})


def decode_answer(body: bytes, request: Request, profile: Profile) -> Answer | Failed:
    try:
        payload = read_json(body).value
    except NotJSONError:
        return Failed(ErrorKind.API_ERROR, describe_page(200, "", body))
    if not is_object(payload):
        return Failed(ErrorKind.API_ERROR, describe_page(200, "application/json", body))
    return read_response(payload)


def read_response(payload: JSONObject) -> Answer | Failed:
    """The response object; an error in it, or in its place, is a failure."""
    if payload.get("error") or payload.get("status") == "failed":
        return read_failure(payload)
    if not isinstance(payload.get("output"), list):
        return Failed(ErrorKind.API_ERROR, "The provider answered JSON that is no response: it has no output.")
    if payload.get("status") in _UNFINISHED:
        return Failed(ErrorKind.API_ERROR, f"The provider answered a response that is {payload['status']}.")
    content = tuple(part for item in payload["output"] for part in decode_output(item))
    return Answer(
        text_or_none(payload.get("id")) or "",
        text_or_none(payload.get("model")) or "",
        content,
        stop_of(payload, content),
        read_usage(object_or_none(payload.get("usage")), text_or_none(payload.get("service_tier"))),
        created_at(payload),
    )


def decode_output(item: object) -> tuple[Part, ...]:
    """The parts one output item holds. What cannot be read stays as it came."""
    raw = msgspec.json.encode(item)
    try:
        read = RawObject(raw)
        kind = read.text("type")
        if kind == "message":
            return decode_content(read, "content")[0]
        return (CALLS[kind](read) if kind in CALLS else Unknown(Dialect.RESPONSES, kind, raw.decode()),)
    except Refused:
        return (Unknown(Dialect.RESPONSES, "", raw.decode()),)


def stop_of(response: JSONObject, content: Iterable[Part]) -> Stop:
    """Why it stopped, from its status and from what it holds."""
    details = object_or_none(response.get("incomplete_details")) or {}
    if response.get("status") == "incomplete":
        return Stop(_INCOMPLETE.get(str(details.get("reason")), StopReason.MAX_TOKENS))
    parts = tuple(content)
    if any(isinstance(part, ToolCall) for part in parts):
        return Stop(StopReason.TOOL_CALLS)
    refused = any(isinstance(part, Refusal) for part in parts) and not any(isinstance(p, Text) for p in parts)
    return Stop(StopReason.REFUSAL if refused else StopReason.END)


def created_at(response: JSONObject) -> int:
    value = response.get("created_at")
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0
