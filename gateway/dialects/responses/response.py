"""What a response object says of itself, whether it came alone or as the end of a stream."""

from __future__ import annotations

from typing import Final

from gateway.dialects.accumulated import Accumulated, read_error
from gateway.dialects.json_values import JSONObject, object_or_none, text_or_none

_UNFINISHED: Final = frozenset({"queued", "in_progress"})


def read_answer(body: JSONObject) -> Accumulated:
    """A response, an error, or something else that may name a model or its usage."""
    answer = Accumulated(model=text_or_none(body.get("model")), usage=object_or_none(body.get("usage")))
    if body.get("object") == "response":
        answer.message = body
        answer.stop_reason = _stop_reason(body)
    if body.get("error"):
        answer.error_type, answer.error_message = read_error(body)
    return answer


def _stop_reason(response: JSONObject) -> str | None:
    """The status once it is final; for an incomplete response, why it is."""
    status = text_or_none(response.get("status"))
    if status in _UNFINISHED:
        return None
    details = object_or_none(response.get("incomplete_details")) or {}
    return (text_or_none(details.get("reason")) or status) if status == "incomplete" else status
