"""Lists of a message that grow over several chunks, put together by OpenAI's own SDK, which wants an index in each."""

from __future__ import annotations

import json
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.dialects.answer import (
    BlockEnded,
    CitationAdded,
    Finished,
    Sealed,
    Started,
    Stop,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from gateway.dialects.chat.stream_encoder import ChatStreamEncoder
from gateway.dialects.names import Dialect
from gateway.dialects.seals import wrap
from gateway.dialects.turn import Request, Seal, Unknown


def page(url: str) -> CitationAdded:
    note = {"type": "url_citation", "start_index": 0, "end_index": 3, "url": url, "title": "T"}
    return CitationAdded(Unknown(Dialect.RESPONSES, "url_citation", json.dumps(note)))


def message(*events: StreamEvent) -> dict[str, Any]:
    """The message the SDK makes of these events' stream."""
    begun, ended = Started("1", "m"), Finished(Stop(StopReason.END))
    stream = ChatStreamEncoder(Request("m", (), stream=True, tag="t")).encode([begun, *events, ended])
    state = ChatCompletionStreamState()
    for event in stream.decode().split("\n\n"):
        if event and event != "data: [DONE]":
            state.handle_chunk(ChatCompletionChunk.model_validate_json(event.removeprefix("data: ")))
    found: dict[str, Any] = state.get_final_completion().choices[0].message.to_dict()
    return found


def test_several_citations_are_all_there() -> None:
    found = message(
        TextDelta("Sunny"), page("https://a"), BlockEnded(), TextDelta("."), page("https://b"), BlockEnded()
    )
    assert [note["url_citation"]["url"] for note in found["annotations"]] == ["https://a", "https://b"]


def test_several_thoughts_are_all_there_with_their_seals() -> None:
    own, hidden = Seal(Dialect.ANTHROPIC, "SIG"), Seal(Dialect.ANTHROPIC, "DATA", "redacted")
    found = message(ThinkingDelta("H"), ThinkingDelta("m"), Sealed(own), BlockEnded(), Sealed(hidden, redacted=True))
    assert found["reasoning_content"] == "Hm"
    assert found["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Hm", "signature": wrap(own), "index": 0},
        {"type": "reasoning.encrypted", "data": wrap(hidden), "index": 1},
    ]
