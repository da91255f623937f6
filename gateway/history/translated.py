"""What a translated exchange looked like on its two other sides, made again from what was recorded: what the provider
was asked, and what the caller got. The same code gives the same bytes; pings, which depend on time, are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from gateway.dialects.content import decode_body
from gateway.dialects.demotion import DEMOTED
from gateway.dialects.errors import encode_error
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import DEFAULT_PROFILE, PROFILES
from gateway.dialects.responses import compaction
from gateway.dialects.told import Asked, Got, tell
from gateway.dialects.translation import Translation, translate_request
from gateway.dialects.turn import Refused
from gateway.history.store import NotInHistory, rebuild_request, rebuild_response, rebuild_sent_request
from gateway.models import RequestLog


def rebuild_asked(request_id: UUID) -> bytes:
    """The body as it went to the provider. Raises NotInHistory when the exchange was relayed, or continued a response
    whose items are not in its own body, and `Damaged`."""
    translation = translation_of(read_row(request_id))
    if translation.request.previous_response:
        continued = translation.request.previous_response
        raise NotInHistory(f"{request_id} continues {continued}: what it was asked held that conversation too")
    return translation.encoded.body


def rebuild_got(request_id: UUID) -> bytes:
    """The body as the caller got it. Raises NotInHistory when the exchange was relayed, and `Damaged`."""
    row = read_row(request_id)
    response, how = row.response, row.response.translation or {}
    provider = Dialect(how["dialect"])
    body, tag = caller_body(row), str(row.id)
    asked = Asked(Dialect(row.dialect), provider, how["profile"], row.path, body, tag, row.routed_model or None)
    answer = rebuild_response(request_id)
    try:
        said, failed = tell(asked, Got(row.status_code or 0, response.content_type, response.content_encoding, answer))
    except Refused as refused:
        raise NotInHistory(f"{row.id} is not translated any more: {refused.message}") from None
    if said or failed is None:
        return said
    return encode_error(Dialect(row.dialect), failed.kind, failed.message, str(row.id))


def rebuild_sent(request_id: UUID) -> bytes:
    """The request as the provider got it, translated or not. Raises NotInHistory and `Damaged`."""
    try:
        return rebuild_asked(request_id)
    except NotInHistory:
        return rebuild_sent_request(request_id)


def read_row(request_id: UUID) -> RequestLog:
    row = RequestLog.objects.select_related("response").filter(id=request_id).first()
    if row is None or not getattr(row, "response", None) or row.response.translation is None:
        raise NotInHistory(f"{request_id} was not translated")
    return row


def caller_body(row: RequestLog) -> bytes:
    """Without its content coding."""
    encodings = [value for name, value in row.header_record.request_pairs if name.lower() == "content-encoding"]
    return decode_body(", ".join(encodings), rebuild_request(row.id)).data


def translation_of(row: RequestLog) -> Translation:
    how: Mapping[str, Any] = row.response.translation or {}
    profile = PROFILES.get(how["profile"], DEFAULT_PROFILE)
    provider, model = Dialect(how["dialect"]), row.routed_model
    try:
        return translate_request(
            Dialect(row.dialect),
            provider,
            profile,
            caller_body(row),
            model=model,
            tag=str(row.id),
            adapt=compaction.as_window if row.path == compaction.PATH else None,
            demote=row.handling == DEMOTED,
        )
    except Refused as refused:
        raise NotInHistory(f"{row.id} is not translated any more: {refused.message}") from None
