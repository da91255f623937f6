"""Anthropic's whole answers as neutral ones, and back."""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.answer import Answer, Failed, Stop, StopReason
from gateway.dialects.anthropic.blocks import decode_content, encode_content
from gateway.dialects.anthropic.stream_encoder import message_id
from gateway.dialects.anthropic.usage import read_usage, write_usage
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import describe_page, read_failure
from gateway.dialects.json_text import dump, raw
from gateway.dialects.json_values import JSONObject, object_or_none, text_or_none
from gateway.dialects.profile import Profile
from gateway.dialects.raw_object import RawObject, read_object
from gateway.dialects.stops import ANTHROPIC_STOPS, STOPS
from gateway.dialects.turn import Refused, Request

_KNOWN: Final = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)


def decode_answer(body: bytes, request: Request, profile: Profile) -> Answer | Failed:
    """The body of a 200: a message, or an error all the same."""
    try:
        read = read_object(body)
        if read.has("error") or read.text("type") == "error":
            return read_failure(object_or_none(read.value("error")) or {"message": read.json_text()})
        if not read.has("content"):
            return Failed(ErrorKind.API_ERROR, describe_page(200, "JSON that is no message", body))
        return _message(read)
    except Refused as problem:
        return Failed(ErrorKind.API_ERROR, f"{describe_page(200, 'no message', body)} ({problem.message})")


def _message(read: RawObject) -> Answer:
    content, _ = decode_content(read, "content")
    return Answer(
        read.text("id"),
        read.text("model"),
        content,
        read_stop(read.value("stop_reason"), read.value("stop_sequence"), read.json("stop_details")),
        read_usage(object_or_none(read.value("usage"))),
        extras=read.extras(_KNOWN),
    )


def read_stop(reason: Any, sequence: Any, details: str = "") -> Stop:
    """A reason nobody knows counts as an ordinary end."""
    return Stop(ANTHROPIC_STOPS.get(str(reason), StopReason.END), text_or_none(sequence), details)


def encode_answer(answer: Answer, request: Request) -> bytes:
    """A message. It names the model the caller asked for, as Anthropic does with its aliases resolved."""
    stop = answer.stop
    message: JSONObject = {
        "id": message_id(answer.id, request.tag),
        "type": "message",
        "role": "assistant",
        "model": request.model or answer.model,
        "content": encode_content(answer.content),
        "stop_reason": STOPS[stop.reason].anthropic,
        "stop_sequence": stop.sequence,
        "usage": write_usage(answer.usage),
    }
    if stop.details:
        message["stop_details"] = raw(stop.details)
    return dump(message)
