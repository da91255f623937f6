"""Chat Completions' whole answers as neutral ones, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.dialects.answer import Answer, Failed
from gateway.dialects.chat.sealed_thoughts import FIELD, encode_detail
from gateway.dialects.chat.stream_decoder import ChatStreamDecoder
from gateway.dialects.chat.stream_encoder import completion_id, created_at
from gateway.dialects.chat.usage import write_usage
from gateway.dialects.citations import as_annotation
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import describe_page, read_failure
from gateway.dialects.folding import fold
from gateway.dialects.json_text import dump
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, read_json
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.stops import STOPS
from gateway.dialects.turn import Part, Refusal, Request, Text, Thinking, ToolCall

_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")


def decode_answer(body: bytes, request: Request, profile: Profile) -> Answer | Failed:
    """The body of a 200. A completion is a stream of one chunk: the same reading serves both."""
    decoder = ChatStreamDecoder(request, profile)
    events = decoder.feed(b"data: " + body.translate(_ONE_LINE) + b"\n\n")
    if not events:
        return _failure(body)
    return fold([*events, *decoder.feed(b"data: [DONE]\n\n")])


def _failure(body: bytes) -> Failed:
    """A 200 that holds no completion: an error in some shape, or something else altogether."""
    try:
        value = read_json(body).value
    except NotJSONError:
        return Failed(ErrorKind.API_ERROR, describe_page(200, "no JSON", body))
    return read_failure(value if is_object(value) else {"message": describe_page(200, "no completion", body)})


def encode_answer(answer: Answer, request: Request) -> bytes:
    """A completion. It names the model the caller asked for."""
    texts = [part.text for part in answer.content if isinstance(part, Text)]
    refusals = [part.text for part in answer.content if isinstance(part, Refusal)]
    thoughts = [part.text for part in answer.content if isinstance(part, Thinking) and part.text]
    calls = [_call(part) for part in answer.content if isinstance(part, ToolCall)]
    message: JSONObject = {
        "role": "assistant",
        "content": "".join(texts) if texts or not calls else None,
        "refusal": "".join(refusals) or None,
    }
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if details := _details(answer.content):
        message[FIELD] = details
    notes = [
        as_annotation(note, Dialect.CHAT)
        for part in answer.content
        if isinstance(part, Text)
        for note in part.citations
    ]
    if annotations := [note for note in notes if note is not None]:
        message["annotations"] = annotations
    if calls:
        message["tool_calls"] = calls
    word = STOPS[answer.stop.reason].chat
    completion: JSONObject = {
        "id": completion_id(answer.id, request.tag),
        "object": "chat.completion",
        "created": answer.created or created_at(request.tag),
        "model": request.model or answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": word}],
    }
    if (usage := write_usage(answer.usage)) is not None:
        completion["usage"] = usage
    return dump(completion)


def _details(content: Sequence[Part]) -> list[JSONObject]:
    sealed = [part for part in content if isinstance(part, Thinking) and part.seal is not None]
    return [encode_detail(thought, index) for index, thought in enumerate(sealed)]


def _call(call: ToolCall) -> JSONObject:
    if call.kind == "custom":
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}
