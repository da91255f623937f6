"""A call for a whole answer made as one for a stream, and the stream folded back to the answer it would have been.

Providers and the ways to them cut long silent calls; a stream keeps them alive. Of the request nothing changes but the
`stream` member; Chat Completions needs `stream_options` beside it, or the answer would be without its usage.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from gateway.dialects.accumulated import StreamFold
from gateway.dialects.anthropic.stream import MessageFold
from gateway.dialects.chat.stream import CompletionFold
from gateway.dialects.errors import encode_error, status_of
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import read_failure
from gateway.dialects.json_members import members_of
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, objects_of, read_json
from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import Patch
from gateway.dialects.responses.stream import ResponseFold
from gateway.dialects.sse import ServerSentEvent, SSEDecoder

_FOLDS: Final[dict[Dialect, type[StreamFold]]] = {
    Dialect.ANTHROPIC: MessageFold,
    Dialect.CHAT: CompletionFold,
    Dialect.RESPONSES: ResponseFold,
}
_KEY: Final = b'"stream"'
_OFF: Final = (b"false", b"null")
_INSERTED: Final = {
    Dialect.ANTHROPIC: b'"stream":true',
    Dialect.CHAT: b'"stream":true,"stream_options":{"include_usage":true}',
    Dialect.RESPONSES: b'"stream":true',
}
_STEP: Final = 256 * 1024
DEMOTED: Final = "demoted"
"""What the record says of it."""


class Folded(NamedTuple):
    """`problem`: why it is no answer; then `body` is an error of `status`."""

    status: int
    body: bytes
    problem: str | None = None


def demote(dialect: Dialect, body: bytes) -> tuple[bytes, list[Patch]] | None:
    """The body with the stream asked for, and what was changed, as offsets in the original; None when it is no call for
    a whole answer."""
    if dialect not in _FOLDS:
        return None
    members = list(members_of(body))
    if not members:
        return None
    found = [member for member in members if member.key == _KEY]
    if any(body[member.start : member.end] not in _OFF for member in found):
        return None
    text = _INSERTED[dialect].removeprefix(_KEY + b":") if found else _INSERTED[dialect] + b","
    start, end = (found[-1].start, found[-1].end) if found else (body.index(b"{") + 1,) * 2
    return body[:start] + text + body[end:], [(start, end, text)]


def fold_answer(dialect: Dialect, body: bytes, request_id: str) -> Folded:
    """The whole stream as the JSON answer. An error in it has the status it would have had; a stream without its end
    is a 502."""
    fold, decoder = _FOLDS[dialect](), SSEDecoder()
    whole: bytes | None = None
    for start in range(0, len(body), _STEP):
        for event in decoder.feed(body[start : start + _STEP]):
            if (failed := _error_in(dialect, event)) is not None:
                return failed
            whole = _whole_response(dialect, event) or whole
            fold.add(event)
    answer = fold.result()
    if answer.message is None or not (answer.complete or (dialect is Dialect.CHAT and answer.stop_reason)):
        problem = "The provider's stream broke off before its end."
        return Folded(502, encode_error(dialect, ErrorKind.API_ERROR, problem, request_id), problem)
    return Folded(200, whole or msgspec.json.encode(without_ours(answer.message)))


def _error_in(dialect: Dialect, event: ServerSentEvent) -> Folded | None:
    """An error event as the error answer it stands for, in the provider's own words."""
    if b'"error"' not in event.data and event.name != b"error":
        return None
    try:
        payload = read_json(event.data).value
    except NotJSONError:
        return None
    if not is_object(payload) or not (payload.get("type") == "error" or _bare_error(dialect, payload)):
        return None
    failure = read_failure(payload)
    status = failure.status or status_of(dialect, failure.kind)
    if is_object(payload.get("error")):
        return Folded(status, event.data, failure.message)
    flat = {key: value for key, value in payload.items() if key not in ("type", "sequence_number")}
    return Folded(status, msgspec.json.encode({"error": {"type": "server_error", **flat}}), failure.message)


def _bare_error(dialect: Dialect, payload: JSONObject) -> bool:
    return dialect is Dialect.CHAT and bool(payload.get("error")) and not payload.get("choices")


def _whole_response(dialect: Dialect, event: ServerSentEvent) -> bytes | None:
    """The response a Responses stream ends with, byte for byte, where it holds its output."""
    if dialect is not Dialect.RESPONSES or b'"response.' not in event.data:
        return None
    try:
        terminal = msgspec.json.decode(event.data, type=_Terminal)
        output = msgspec.json.decode(terminal.response, type=_Output).output
    except (ValueError, RecursionError):
        return None
    return bytes(terminal.response) if terminal.type in _TERMINAL and output else None


class _Terminal(msgspec.Struct):
    type: str
    response: msgspec.Raw


class _Output(msgspec.Struct):
    output: list[Any] = []


_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


def without_ours(message: JSONObject) -> JSONObject:
    """The message without the keys the fold added for what it could not apply."""
    kept = {key: value for key, value in message.items() if not key.startswith("_")}
    if objects_of(kept.get("content")):
        kept["content"] = [
            {key: value for key, value in block.items() if not key.startswith("_")} if is_object(block) else block
            for block in kept["content"]
        ]
    return kept
