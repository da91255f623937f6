"""What policy and lists need to know of a request body, without parsing more of it than that.

`read_envelope` and `replace_model` run on the hot path: the first lets msgspec skip over what is not asked for, the
second scans for the members' ranges. Neither says whether the body is valid: the provider is the authority on that, and
a body that cannot be read is relayed all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import msgspec

from gateway.dialects.json_members import closes_at, members_of
from gateway.dialects.json_values import (
    JSONObject,
    NotJSONError,
    fit_text,
    is_object,
    object_or_none,
    read_json,
    text_or_none,
)
from gateway.dialects.names import Dialect

Patch = tuple[int, int, bytes]
"""Bytes [start, end) of the original became this text."""

THINKING_BYTES: Final = 256
_ABSENT: Final = msgspec.Raw(b"")


class _Fields(msgspec.Struct):
    """The fields looked at, as slices: a wrong type in one must not hide the others."""

    model: msgspec.Raw = _ABSENT
    stream: msgspec.Raw = _ABSENT
    max_tokens: msgspec.Raw = _ABSENT
    max_completion_tokens: msgspec.Raw = _ABSENT
    max_output_tokens: msgspec.Raw = _ABSENT


class _EnvelopeFields(_Fields):
    thinking: msgspec.Raw = _ABSENT
    reasoning: msgspec.Raw = _ABSENT
    reasoning_effort: msgspec.Raw = _ABSENT
    previous_response_id: msgspec.Raw = _ABSENT


class RequestMembers(_Fields):
    """What the record looks at of a body, as slices. `messages`, `input`, `tools` and `functions` are the slices of
    their elements; where one of them is no list, each is one slice."""

    system: msgspec.Raw = _ABSENT
    instructions: msgspec.Raw = _ABSENT
    metadata: msgspec.Raw = _ABSENT
    client_metadata: msgspec.Raw = _ABSENT


class _Listed(RequestMembers):
    messages: list[msgspec.Raw] | None = None
    input: list[msgspec.Raw] | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None


class _Sliced(RequestMembers):
    messages: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    tools: msgspec.Raw = _ABSENT
    functions: msgspec.Raw = _ABSENT


_F = TypeVar("_F", bound=_Fields)
_Limit = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _UsualEnvelope(msgspec.Struct):
    """What nearly every request is like, read in one go: nothing has a wrong type."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    max_output_tokens: _Limit | None = None
    thinking: msgspec.Raw = _ABSENT
    reasoning: msgspec.Raw = _ABSENT
    reasoning_effort: msgspec.Raw = _ABSENT
    previous_response_id: str | None = None

    def limit(self) -> int | None:
        if self.max_tokens is not None:
            return self.max_tokens
        return self.max_output_tokens if self.max_completion_tokens is None else self.max_completion_tokens


_USUAL: Final = msgspec.json.Decoder(_UsualEnvelope)
_SLICES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_LISTED: Final = msgspec.json.Decoder(_Listed)


@dataclass(frozen=True, slots=True)
class Envelope:
    """None: absent, null, of another type, or the body could not be read."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: int | None = None
    """Whichever of its three spellings the body uses."""
    thinking: tuple[bytes, ...] = ()
    """The beginnings of `thinking`, `reasoning` and `reasoning_effort`, of those that are there: they are small, and
    few ask what they say."""
    previous_response: str | None = None
    """The response it goes on from, of a request of Responses."""

    @property
    def has_thinking(self) -> bool:
        """Thinking is asked for: `thinking` that is not disabled, `reasoning` or `reasoning_effort`."""
        return any(said != b"null" and b'"disabled"' not in said for said in self.thinking)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the record keeps of a request body. None: absent or unreadable.

    `message_count` counts `messages`, or the items of a Responses `input` (a bare string is one). `tool_count` is 0
    when the body could be read and has no tools.
    """

    model: str | None = None
    stream: bool | None = None
    max_tokens: int | None = None
    message_count: int | None = None
    tool_count: int | None = None
    user_id_session: str | None = None
    """The session named in `metadata.user_id`, by Claude Code without its headers."""
    session_id: str | None = None
    """This and the rest: the ids Codex repeats in `client_metadata`."""
    thread_id: str | None = None
    turn_id: str | None = None
    window_id: str | None = None
    parent_thread_id: str | None = None
    agent_name: str | None = None


def read_envelope(body: bytes) -> Envelope:
    """The facts policy decides by. Never raises. Of a key said twice the last counts, as for the providers."""
    try:
        usual = _USUAL.decode(body)
    except (ValueError, RecursionError):
        return _read_odd_envelope(body)
    model = None if usual.model is None else fit_text(usual.model)
    return Envelope(model, usual.stream, usual.limit(), _thinking_of(usual), usual.previous_response_id)


def _read_odd_envelope(body: bytes) -> Envelope:
    fields = _read(_EnvelopeFields, body)
    if fields is None:
        return Envelope()
    previous = _text(fields.previous_response_id)
    return Envelope(_text(fields.model), _flag(fields.stream), _limit(fields), _thinking_of(fields), previous)


def read_members(body: bytes) -> RequestMembers | None:
    """One pass over a body whose content coding is already undone; None when it is no JSON object. Never raises."""
    try:
        return _LISTED.decode(body)
    except (ValueError, RecursionError):
        return _read(_Sliced, body)


def elements_in(members: RequestMembers, name: str) -> list[msgspec.Raw] | msgspec.Raw | None:
    """The elements of a member, or its slice where it was not read as a list; None when it is not there."""
    found: list[msgspec.Raw] | msgspec.Raw | None = getattr(members, name)
    return None if found is _ABSENT else found


def facts_of(dialect: Dialect, fields: RequestMembers | None) -> RequestFacts:
    """The facts the record keeps. Never raises."""
    if fields is None:
        return RequestFacts()
    return RequestFacts(
        model=_text(fields.model),
        stream=_flag(fields.stream),
        max_tokens=_limit(fields),
        message_count=_message_count(dialect, fields),
        tool_count=(_length(fields, "tools") or 0) + (_length(fields, "functions") or 0),
        user_id_session=_user_id_session(_value(fields.metadata)),
        **_codex_ids(_value(fields.client_metadata)),
    )


def _read(kind: type[_F], body: bytes) -> _F | None:
    """The fields of `kind`; None when the body is no JSON object.

    msgspec refuses a whole body over half a surrogate pair in some old tool result, or over NaN or deep nesting,
    none of which need hide the model: such a body is scanned instead.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError):
        pass
    fields, end = kind(), None
    for key, start, end in members_of(body):
        name = _read_key(key)
        if name in kind.__struct_fields__:
            setattr(fields, name, msgspec.Raw(body[start:end]))
    return fields if end is not None and closes_at(body, end) else None


def _read_key(key: bytes) -> str | None:
    try:
        return msgspec.json.decode(key, type=str)
    except ValueError:
        return None


def _thinking_of(fields: _EnvelopeFields | _UsualEnvelope) -> tuple[bytes, ...]:
    """Copies: a slice would hold the whole body as long as the answer streams."""
    thinking, reasoning, effort = fields.thinking, fields.reasoning, fields.reasoning_effort
    if thinking is _ABSENT and reasoning is _ABSENT and effort is _ABSENT:
        return ()
    said = (memoryview(raw) for raw in (thinking, reasoning, effort) if raw is not _ABSENT)
    return tuple(bytes(part[:THINKING_BYTES]) for part in said)


def _value(raw: msgspec.Raw) -> Any:
    try:
        return read_json(bytes(raw)).value if raw else None
    except NotJSONError:
        return None


def _text(raw: msgspec.Raw) -> str | None:
    """A string; one with half of a surrogate pair in it cannot be read."""
    try:
        return fit_text(msgspec.json.decode(raw, type=str))
    except ValueError:
        return None


def _flag(raw: msgspec.Raw) -> bool | None:
    return {b"true": True, b"false": False}.get(bytes(raw)) if len(memoryview(raw)) <= len(b"false") else None


def _limit(fields: _Fields) -> int | None:
    for raw in (fields.max_tokens, fields.max_completion_tokens, fields.max_output_tokens):
        try:
            return msgspec.json.decode(raw, type=_Limit)
        except ValueError:
            continue
    return None


def _length(fields: RequestMembers, name: str) -> int | None:
    found = elements_in(fields, name)
    if found is None or isinstance(found, list):
        return None if found is None else len(found)
    try:
        return len(_SLICES.decode(found))
    except (ValueError, RecursionError):
        return None


def _message_count(dialect: Dialect, fields: RequestMembers) -> int | None:
    if dialect is not Dialect.RESPONSES:
        return _length(fields, "messages")
    said = elements_in(fields, "input")
    return 1 if isinstance(said, msgspec.Raw) and _text(said) is not None else _length(fields, "input")


_LEGACY_USER_ID: Final = re.compile(r"^user_.*_session_([0-9A-Za-z-]{8,64})$", re.DOTALL)


def _user_id_session(metadata: Any) -> str | None:
    """From `{"user_id": "{\\"session_id\\": ...}"}`, or `user_<hex>_account_<uuid>_session_<uuid>` before that."""
    user_id = text_or_none(metadata.get("user_id")) if is_object(metadata) else None
    if user_id is None:
        return None
    if (legacy := _LEGACY_USER_ID.match(user_id)) is not None:
        return legacy[1]
    return _said(_nested(user_id), "session_id")


def _nested(text: str | None) -> JSONObject:
    """The object in a string that holds JSON; an empty one when it holds none."""
    if text is None or not text.startswith("{"):
        return {}
    try:
        return object_or_none(read_json(text.encode("utf-8", "replace")).value) or {}
    except NotJSONError:
        return {}


def _said(source: JSONObject, *names: str) -> str | None:
    values = (source.get(name) for name in names)
    return next((fit_text(value) for value in values if isinstance(value, str) and value), None)


def _codex_ids(metadata: Any) -> dict[str, str | None]:
    if not is_object(metadata):
        return {}
    turn = _nested(text_or_none(metadata.get("x-codex-turn-metadata")))
    parent = _said(metadata, "x-codex-parent-thread-id", "parent_thread_id")
    return {
        "session_id": _said(metadata, "session_id") or _said(turn, "session_id"),
        "thread_id": _said(metadata, "thread_id") or _said(turn, "thread_id"),
        "turn_id": _said(metadata, "turn_id") or _said(turn, "turn_id"),
        "window_id": _said(metadata, "x-codex-window-id", "window_id") or _said(turn, "window_id"),
        "parent_thread_id": parent,
        # The main agent has a name in the turn metadata too; only a subagent's is meant.
        "agent_name": _said(metadata, "x-openai-subagent") or (_said(turn, "agent_name") if parent else None),
    }


def find_model_ranges(body: bytes) -> list[tuple[int, int]]:
    """Where in `body` the values of its top-level `model` keys are: [start, end) in bytes, in order.

    A key said twice gives two ranges; `model` keys inside other values are not meant. A body that is not a JSON
    object, or breaks off, gives what was found before that.
    """
    return [
        (start, end)
        for key, start, end in members_of(body)
        if key == b'"model"' or (b"\\" in key and _read_key(key) == "model")
    ]


def replace_model(body: bytes, model: str) -> tuple[bytes, list[Patch]]:
    """`body` with `model` as the value of each of its top-level `model` keys, all other bytes untouched, and what was
    replaced, as offsets in the original. Without such a key the body comes back as it is."""
    text = msgspec.json.encode(model)
    patches = [(start, end, text) for start, end in find_model_ranges(body)]
    if not patches:
        return body, []
    return patched(body, patches), patches


def patched(body: bytes, patches: list[Patch]) -> bytes:
    """`body` with each of the patches, whose ranges do not overlap."""
    pieces: list[bytes] = []
    done = 0
    for start, end, text in sorted(patches):
        pieces += (body[done:start], text)
        done = end
    pieces.append(body[done:])
    return b"".join(pieces)
