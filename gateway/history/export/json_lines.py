"""JSON Lines: each exchange one object on one line, with everything the history knows of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.history.export.exchanges import Exchange, as_text
from gateway.history.present import detail_object

Body = dict[str, str]


def write_lines(exchanges: Iterable[Exchange], *, bodies: bool) -> Iterator[bytes]:
    for exchange in exchanges:
        yield json.dumps(line_object(exchange, bodies=bodies), ensure_ascii=False).encode() + b"\n"


def line_object(exchange: Exchange, *, bodies: bool) -> dict[str, Any]:
    """What `history show --json` prints, and `request_body` and `response_body`.

    A body is `{"text": ...}` when it is UTF-8, which is then exact, else `{"base64": ...}`. An answer in a content
    coding has both: its bytes in base64, and the text in them.
    """
    line = detail_object(exchange.row)
    if bodies:
        line["request_body"] = body_object(exchange.request_body)
        line["response_body"] = response_object(exchange)
    if exchange.damage:
        line["damage"] = exchange.damage
    return line


def body_object(body: bytes) -> Body | None:
    if not body:
        return None
    text = as_text(body)
    return {"base64": base64.b64encode(body).decode()} if text is None else {"text": text}


def response_object(exchange: Exchange) -> Body | None:
    written = body_object(exchange.response_body)
    if written and "base64" in written and (text := exchange.response_text()) is not None:
        written["text"] = text
    return written
