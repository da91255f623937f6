"""`/grade-prompt`: asks for the grade of a prompt."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Schema

from gateway.dialects.names import Dialect
from gateway.grading.asking import Asker, ask_for_request, ask_for_words
from gateway.grading.prompt_text import NoWords, words_of_body
from gateway.models import Grade, RequestLog
from gateway.read_api.access import Caller, Refused, by_key, caller_of
from gateway.read_api.application import NARROWED, Error, api
from gateway.read_api.grade_shapes import PromptGrade, prompt_grade

NO_REQUEST = (
    "There is no such request.",
    "It may be another team's, or gone: GET /api/v1/requests lists yours.",
)


class GradeRequest(Schema):
    """`messages` and `systemMessages` as in the Messages API, or a `requestId`."""

    messages: list[dict[str, Any]] = []
    systemMessages: list[dict[str, Any]] = []
    requestId: uuid.UUID | None = None


@api.post(
    "/grade-prompt",
    # A key alone: what a browser sends by itself must not spend money.
    auth=by_key,
    response={200: PromptGrade, 400: Error, 404: Error, **NARROWED},
    exclude_none=True,
    summary="Ask for the grade of a prompt, or for what came of it",
)
def grade_prompt(request: HttpRequest, asked: GradeRequest) -> Any:
    """The words sent, or those of the request named. The same words are graded once: ask again until `isProcessing` is
    false."""
    try:
        return prompt_grade(ask_for(caller_of(request), asked))
    except RequestLog.DoesNotExist:
        raise Refused(404, *NO_REQUEST) from None
    except NoWords as nothing:
        raise Refused(400, f"There is nothing to grade: {nothing}.", "Send messages of the role user.") from None


def ask_for(caller: Caller, asked: GradeRequest) -> Grade:
    """Raises RequestLog.DoesNotExist and NoWords."""
    asker = Asker(Grade.Origin.API)
    if asked.requestId is not None:
        rows = caller.sight.requests().select_related("header_record")
        return ask_for_request(rows.get(id=asked.requestId), asker)
    body = {"model": "-", "max_tokens": 1, "messages": asked.messages, "system": asked.systemMessages or []}
    (team,) = caller.sight.teams or ("",)
    return ask_for_words(words_of_body(Dialect.ANTHROPIC, json.dumps(body).encode()), team, asker)
