"""Our own refusals, in the envelope of whichever dialect the caller speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from gateway.dialects.anthropic import errors as anthropic
from gateway.dialects.chat import errors as chat
from gateway.dialects.failures import FAILURES, ErrorKind
from gateway.dialects.names import Dialect
from gateway.dialects.responses import errors as responses


class _Encoders(NamedTuple):
    body: Callable[[ErrorKind, str, str], bytes]
    event: Callable[[ErrorKind, str, str], bytes]


_ENCODERS: Final[dict[Dialect, _Encoders]] = {
    Dialect.ANTHROPIC: _Encoders(anthropic.encode_error, anthropic.encode_stream_error),
    Dialect.CHAT: _Encoders(chat.encode_error, chat.encode_stream_error),
    Dialect.RESPONSES: _Encoders(responses.encode_error, responses.encode_stream_error),
    Dialect.OPENAI: _Encoders(chat.encode_error, chat.encode_stream_error),
}


def encode_error(
    dialect: Dialect, kind: ErrorKind, message: str, request_id: str, details: Mapping[str, Any] | None = None
) -> bytes:
    """The JSON body that tells a caller of `dialect` about `kind`. Only Anthropic's has a place for `details`."""
    if dialect is Dialect.ANTHROPIC:
        return anthropic.encode_error(kind, message, request_id, details)
    return _ENCODERS[dialect].body(kind, message, request_id)


def encode_stream_error(dialect: Dialect, kind: ErrorKind, message: str, request_id: str) -> bytes:
    """The server-sent event that ends a stream of `dialect` that has begun."""
    return _ENCODERS[dialect].event(kind, message, request_id)


def status_of(dialect: Dialect, kind: ErrorKind) -> int:
    """The HTTP status that goes with it."""
    failure = FAILURES[kind]
    return failure.anthropic_status if dialect is Dialect.ANTHROPIC else failure.openai_status


def is_final(kind: ErrorKind) -> bool:
    """Whether `x-should-retry: false` goes along."""
    return FAILURES[kind].final
