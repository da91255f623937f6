"""What the caller of a translated exchange was told, made again from its request and the provider's answer. The same
code gives the same bytes; pings, which depend on time, are left out."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.dialects.accumulate import accumulate
from gateway.dialects.answer import Failed
from gateway.dialects.codec import EncodedRequest
from gateway.dialects.codecs import CODECS
from gateway.dialects.json_values import JSONObject
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import DEFAULT_PROFILE, PROFILES
from gateway.dialects.responses import compaction
from gateway.dialects.translation import Translation, translate_answer
from gateway.dialects.turn import Refused


class Asked(NamedTuple):
    """A request as it came, without content coding. `tag` is the exchange's, `profile` the name of the provider's;
    `model`: what was asked for instead of the caller's, where that was another."""

    caller: Dialect
    provider: Dialect
    profile: str
    path: str
    body: bytes
    tag: str
    model: str | None = None


class Got(NamedTuple):
    """The provider's answer as it came on the wire."""

    status: int
    content_type: str
    content_encoding: str
    body: bytes


def tell(asked: Asked, got: Got) -> tuple[bytes, Failed | None]:
    """(what the caller got, why it failed). Raises Refused for a request that is not translated any more."""
    translation = _answering(asked)
    return translate_answer(translation, got.status, got.content_type, got.content_encoding, [got.body])


def told_message(asked: Asked, got: Got) -> JSONObject | None:
    """The message the caller got, as its own API's non-streaming form has it; None when it got none. Never raises."""
    try:
        said, _ = tell(asked, got)
    except Refused:
        return None
    return accumulate(asked.caller, "", "", said).message if said else None


def _answering(asked: Asked) -> Translation:
    """What the way back needs of a translation; the request is not encoded again."""
    request = msgspec.structs.replace(CODECS[asked.caller].decode_request(asked.body), tag=asked.tag)
    if asked.path == compaction.PATH:
        request = compaction.as_window(request)
    profile = PROFILES.get(asked.profile, DEFAULT_PROFILE)
    model = asked.model or request.model
    encoded = EncodedRequest(b"", b"")
    return Translation(asked.caller, asked.provider, profile, request, encoded, (), len(asked.body), model)
