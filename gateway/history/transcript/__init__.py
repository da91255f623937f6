"""A recorded exchange as a conversation a person can read: which reader a dialect has, and the window it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.dialects.json_values import NotJSONError, mend, read_json
from gateway.dialects.names import Dialect
from gateway.history.transcript import anthropic, chat, responses
from gateway.history.transcript.blocks import Transcript, Turn, as_mapping, bounded
from gateway.history.transcript.repeats import with_repeats
from gateway.history.transcript.sections import sections_of
from gateway.history.transcript.shares import with_shares

TURNS_SHOWN = 12

RequestReader = Callable[[Mapping[str, Any], slice], Transcript]
AnswerReader = Callable[[Mapping[str, Any]], tuple[Turn, ...]]

READERS: dict[str, tuple[RequestReader, AnswerReader]] = {
    Dialect.ANTHROPIC: (anthropic.read_request, anthropic.read_answer),
    Dialect.CHAT: (chat.read_request, chat.read_answer),
    Dialect.RESPONSES: (responses.read_request, responses.read_answer),
}


def parse(body: bytes) -> Any:
    """The JSON value of a body as far as it can be read, or None when it is none."""
    try:
        value, mended = read_json(body)
        return mend(value) if mended else value
    except (NotJSONError, RecursionError):
        return None


def read_transcript(
    dialect: str,
    body: bytes | None,
    answer: object,
    window: slice,
    answered_in: str = "",
    prompt_tokens: int | None = None,
) -> Transcript | None:
    """What the page shows of one exchange; None when its dialect has no conversation (embeddings, files, ...).

    `window` chooses the turns by their place in the request, counted from 0; negative bounds count from the end.
    `answered_in` is the answer's dialect where that was translated, another one than the request's. `prompt_tokens` are
    the provider's count, which the parts share.
    """
    readers = READERS.get(dialect)
    if readers is None:
        return None
    read_request = readers[0]
    read_answer = READERS.get(answered_in, readers)[1]
    request = as_mapping(parse(body)) if body else {}
    transcript = Transcript()
    if request:
        sections = sections_of(dialect, request)
        transcript = with_repeats(read_request(request, window), sections.messages)
        transcript = with_shares(transcript, request, sections, prompt_tokens)
    message = as_mapping(answer)
    return bounded(replace(transcript, answer=read_answer(message) if message else ()))
