"""Bounds on what a request may hold, where ops have set some. Off by default: the provider is the judge."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.policy.snapshot import ValidationBounds

_ABSENT: Final = msgspec.Raw(b"")


class Invalid(NamedTuple):
    """`code` begins the message, so that a program can tell it."""

    code: str
    message: str
    kind: ErrorKind = ErrorKind.INVALID_REQUEST


class _Body(msgspec.Struct):
    """Slices: what is large is measured, not read."""

    messages: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    system: msgspec.Raw = _ABSENT
    instructions: msgspec.Raw = _ABSENT
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    top_logprobs: Any = None
    background: Any = None
    prompt: msgspec.Raw = _ABSENT


def find_invalid(dialect: Dialect, path: str, body: bytes, bounds: ValidationBounds) -> Invalid | None:
    """What is wrong with the body of a conversation's request; None: nothing, or it is for the provider to say."""
    if path not in ("/v1/messages", "/v1/chat/completions", "/v1/responses"):
        return None
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (ValueError, RecursionError):
        return None
    return (
        wrong_messages(dialect, found, bounds)
        or wrong_texts(found, bounds)
        or wrong_numbers(found, bounds)
        or wrong_wishes(dialect, found)
    )


def wrong_messages(dialect: Dialect, found: _Body, bounds: ValidationBounds) -> Invalid | None:
    raw = found.input if dialect is Dialect.RESPONSES else found.messages
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    if not raw:
        return Invalid("no_messages", f"{name} is missing.") if dialect is not Dialect.RESPONSES else None
    if len(raw) > bounds.max_content_bytes:
        said = f"{name} has {len(raw)} bytes; this gateway takes {bounds.max_content_bytes}."
        return Invalid("content_too_large", said, ErrorKind.TOO_LARGE)
    try:
        count = len(msgspec.json.decode(raw, type=list[msgspec.Raw]))
    except (ValueError, RecursionError):
        return None
    if count == 0:
        return Invalid("empty_messages", f"{name} is empty: say something.")
    if count > bounds.max_messages:
        return Invalid("too_many_messages", f"{name} has {count} entries; this gateway takes {bounds.max_messages}.")
    return None


def wrong_texts(found: _Body, bounds: ValidationBounds) -> Invalid | None:
    for name, code, raw in (
        ("system", "system_prompt_too_large", found.system),
        ("instructions", "instructions_too_large", found.instructions),
    ):
        if len(raw) > bounds.max_system_bytes:
            said = f"{name} has {len(raw)} bytes; this gateway takes {bounds.max_system_bytes}."
            return Invalid(code, said, ErrorKind.TOO_LARGE)
    return None


def wrong_numbers(found: _Body, bounds: ValidationBounds) -> Invalid | None:
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        value = getattr(found, name)
        if value is not None and not within(value, 1, bounds.max_output_tokens):
            return Invalid("invalid_max_tokens", f"{name} must be between 1 and {bounds.max_output_tokens}.")
    if found.top_logprobs is not None and not within(found.top_logprobs, 0, bounds.max_top_logprobs):
        return Invalid("invalid_top_logprobs", f"top_logprobs must be between 0 and {bounds.max_top_logprobs}.")
    return None


def wrong_wishes(dialect: Dialect, found: _Body) -> Invalid | None:
    if dialect is not Dialect.RESPONSES:
        return None
    if found.background is True:
        return Invalid("background_not_supported", "background: true is not taken here; ask and wait for the answer.")
    if found.prompt and bytes(found.prompt) != b"null":
        return Invalid("prompt_reference_not_supported", "prompt is not taken here; send the prompt itself.")
    return None


def within(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
