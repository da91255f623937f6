"""What a gateway operation returns: a reply of ours, whole, or a provider's answer, streamed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.http.response import HttpResponseBase

if TYPE_CHECKING:
    from gateway.api.streaming import ExchangeStream

HeaderPair = tuple[bytes, bytes]

REQUEST_ID = b"x-turnlog-request-id"
"""The one header this gateway adds, last, to every answer: the id the exchange has in the history and in the log."""


class Reply(HttpResponseBase):
    """Status, header pairs with lower-case names, body. Sent as they are; nothing is added."""

    stream: ExchangeStream | None = None

    def __init__(self, status: int, pairs: Sequence[HeaderPair], body: bytes = b"") -> None:
        # HttpResponseBase.__init__ builds header and cookie objects that are not sent here.
        self.status_code = status
        self.pairs = pairs
        self.body = body
        self.closed = False


class RelayedReply(Reply):
    """A provider's status and headers; its body comes from `stream`, chunk by chunk."""

    def __init__(self, status: int, pairs: Sequence[HeaderPair], stream: ExchangeStream) -> None:
        super().__init__(status, pairs)
        self.stream = stream


def json_reply(status: int, value: Mapping[str, Any], pairs: Sequence[HeaderPair] = ()) -> Reply:
    return bytes_reply(status, json.dumps(value).encode(), b"application/json", pairs)


def bytes_reply(status: int, body: bytes, content_type: bytes, pairs: Sequence[HeaderPair] = ()) -> Reply:
    head = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *pairs]
    return Reply(status, head, body)
