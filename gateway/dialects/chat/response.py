"""OpenAI's answers that are not streams and not responses: completions, embeddings, lists, errors."""

from __future__ import annotations

from gateway.dialects.accumulated import Accumulated, read_error
from gateway.dialects.json_values import JSONObject, object_or_none, objects_of, text_or_none


def read_answer(body: JSONObject) -> Accumulated:
    """A completion, an error, or something else that may name a model or its usage."""
    answer = Accumulated(model=text_or_none(body.get("model")), usage=object_or_none(body.get("usage")))
    choices = objects_of(body.get("choices"))
    if body.get("error"):
        answer.error_type, answer.error_message = read_error(body)
    elif any("message" in choice for choice in choices):
        answer.message = body
        reasons = [text_or_none(choice.get("finish_reason")) for choice in choices]
        answer.stop_reason = next((reason for reason in reasons if reason), None)
    return answer
