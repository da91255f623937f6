"""Thoughts with their seals in `reasoning_details`, a list OpenRouter made up and its clients send back.

Chat Completions has no field for what a model needs to go on with its own thoughts after a call. A client that sends
the details back with its history has them opened again for their issuer; any other loses nothing it had before.
"""

from __future__ import annotations

from typing import Final

from gateway.dialects.json_values import JSONObject
from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject
from gateway.dialects.seals import is_redacted, is_wrapped, unwrap, wrap_of
from gateway.dialects.turn import Thinking

FIELD: Final = "reasoning_details"
_TEXT: Final = "reasoning.text"
_HIDDEN: Final = "reasoning.encrypted"


def encode_detail(thinking: Thinking, index: int) -> JSONObject:
    """Of a thought with a seal. `index`: which of the message's it is; OpenAI's own SDK wants one in every list that
    grows."""
    if thinking.redacted:
        return {"type": _HIDDEN, "data": wrap_of(thinking), "index": index}
    return {"type": _TEXT, "text": thinking.text, "signature": wrap_of(thinking), "index": index}


def decode_details(message: RawObject) -> tuple[Thinking, ...]:
    """The thoughts among a message's details whose seals are in an envelope of ours."""
    details = message.children(FIELD) if message.kind_of(FIELD) == "[" else []
    return tuple(thought for detail in details if (thought := _thought(detail)) is not None)


def _thought(detail: RawObject) -> Thinking | None:
    name = "data" if detail.kind_of("data") == '"' else "signature"
    sealed = detail.text(name) if detail.kind_of(name) == '"' else ""
    if not is_wrapped(sealed):
        return None
    text, seal = detail.text("text"), unwrap(sealed, Dialect.CHAT)
    return Thinking(text, seal, redacted=is_redacted(text, seal))
