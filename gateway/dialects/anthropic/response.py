"""Anthropic's answers that are not streams."""

from __future__ import annotations

from gateway.dialects.accumulated import Accumulated, read_error
from gateway.dialects.json_values import JSONObject, object_or_none, text_or_none


def read_answer(body: JSONObject) -> Accumulated:
    """A message, an error, or something else that may name a model or its usage."""
    answer = Accumulated(model=text_or_none(body.get("model")), usage=object_or_none(body.get("usage")))
    if body.get("type") == "error" or isinstance(body.get("error"), dict):
        answer.error_type, answer.error_message = read_error(body)
    elif body.get("type") == "message":
        answer.message = body
        answer.stop_reason = text_or_none(body.get("stop_reason"))
    return answer
