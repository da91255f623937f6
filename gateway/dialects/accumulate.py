"""Any answer of any dialect, decoded and folded, for the record. Nothing in here raises: odd input gives warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from gateway.dialects.accumulated import Accumulated, StreamFold
from gateway.dialects.anthropic import response as anthropic_response
from gateway.dialects.anthropic import usage as anthropic_usage
from gateway.dialects.anthropic.stream import MessageFold
from gateway.dialects.chat import response as chat_response
from gateway.dialects.chat import usage as chat_usage
from gateway.dialects.chat.stream import CompletionFold
from gateway.dialects.content import decode_body
from gateway.dialects.json_values import JSONObject, NotJSONError, fit, fit_text, is_object, mend, read_json
from gateway.dialects.metered import Metered
from gateway.dialects.names import Dialect
from gateway.dialects.responses import response as responses_response
from gateway.dialects.responses import usage as responses_usage
from gateway.dialects.responses.stream import ResponseFold
from gateway.dialects.sse import SSEDecoder

_STEP: Final = 256 * 1024
_STREAM_STARTS: Final = (b"event:", b"data:", b":", b"id:", b"retry:")


class _Reader(NamedTuple):
    fold: Callable[[], StreamFold]
    answer: Callable[[JSONObject], Accumulated]
    usage: Callable[[JSONObject | None, JSONObject | None], Metered]


_READERS: Final[dict[Dialect, _Reader]] = {
    Dialect.ANTHROPIC: _Reader(MessageFold, anthropic_response.read_answer, anthropic_usage.meter),
    Dialect.CHAT: _Reader(CompletionFold, chat_response.read_answer, chat_usage.meter),
    Dialect.RESPONSES: _Reader(ResponseFold, responses_response.read_answer, responses_usage.meter),
    Dialect.OPENAI: _Reader(CompletionFold, chat_response.read_answer, chat_usage.meter),
}


def accumulate(dialect: Dialect, content_type: str, content_encoding: str, body: bytes) -> Accumulated:
    """Fold the body of an answer, as it came on the wire, into what its API's non-streaming form would have given."""
    decoded = decode_body(content_encoding, body)
    warnings = [decoded.error] if decoded.error else []
    if not decoded.data:
        return Accumulated(is_stream=_names_stream(content_type), warnings=warnings)
    try:
        return _fit(_read(_READERS[dialect], content_type, decoded.data), warnings)
    except Exception as fault:  # a fault in here must cost the summary of one answer, never the record of it
        warnings.append(f"could not be read: {fault!r:.200}")
        return Accumulated(is_stream=_names_stream(content_type), warnings=warnings)


def meter(dialect: Dialect, usage: JSONObject | None, message: JSONObject | None = None) -> Metered:
    """What an answer in `dialect` used, out of its `usage` object; OpenAI says a part of it in the message."""
    return _READERS[dialect].usage(usage, message)


def _names_stream(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def _read(reader: _Reader, content_type: str, data: bytes) -> Accumulated:
    """By what the body is, where that differs from what its content type says."""
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    looks_json, looks_stream = start[:1] in (b"{", b"["), start.startswith(_STREAM_STARTS)
    named = _names_stream(content_type)
    if looks_stream or (named and not looks_json):
        answer = _read_stream(reader, data)
        said = [] if named else [f"events under content type {content_type[:80]!r}"]
    else:
        answer = _read_whole(reader, content_type, data)
        said = ["JSON under the content type of a stream"] if named else []
    return replace(answer, warnings=said + answer.warnings)


def _read_stream(reader: _Reader, data: bytes) -> Accumulated:
    fold, decoder = reader.fold(), SSEDecoder()
    for start in range(0, len(data), _STEP):
        for event in decoder.feed(data[start : start + _STEP]):
            fold.add(event)
    if (last := decoder.finish()) is not None:
        fold.add(last)
    for warning in decoder.warnings[:5]:
        fold.warnings.add(warning)
    if not fold.events:
        fold.warnings.add("the stream holds no event")
    answer = fold.result()
    return replace(answer, message=mend(answer.message)) if fold.mended else answer


def _read_whole(reader: _Reader, content_type: str, data: bytes) -> Accumulated:
    try:
        value, mended = read_json(data)
    except NotJSONError:
        return Accumulated(warnings=[f"not JSON: {len(data)} bytes of {content_type[:80] or 'no content type'}"])
    if not is_object(value):
        return Accumulated(warnings=["JSON, but no object"])
    answer = reader.answer(mend(value) if mended else value)
    return replace(answer, warnings=["not clean JSON; read leniently"]) if mended else answer


def _fit(answer: Accumulated, warnings: list[str]) -> Accumulated:
    """With everything but the message fit for text and JSON columns; the message is stored as bytes."""
    return replace(
        answer,
        usage=fit(answer.usage),
        model=fit(answer.model),
        stop_reason=fit(answer.stop_reason),
        error_type=fit(answer.error_type),
        error_message=fit(answer.error_message),
        warnings=[fit_text(warning) for warning in warnings + answer.warnings],
    )
