"""Well-formed streams break no rule; each broken one breaks the rule it is named after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.anthropic import grammar as anthropic
from gateway.dialects.chat import grammar as chat
from gateway.dialects.names import Dialect
from gateway.dialects.responses import grammar as responses
from gateway.dialects.sse import ServerSentEvent
from tests.gateway.dialects.anthropic.test_stream import (
    PING,
    START,
    STOP,
    end,
    grow,
    start_block,
    stop_block,
    text,
    tool,
)
from tests.gateway.dialects.chat.test_stream import USAGE, call, chunk
from tests.gateway.dialects.streams import chunks, decode, named
from tests.transcripts.captured import Exchange, streams

CHECKS: dict[Dialect, Callable[..., list[str]]] = {
    Dialect.ANTHROPIC: anthropic.violations,
    Dialect.RESPONSES: responses.violations,
}


@pytest.mark.parametrize("stream", streams(), ids=str)
def test_captured_streams_break_no_rule(stream: Exchange) -> None:
    cut = stream.name == "claude_stream_cut_then_resume-1"
    expected = ["the stream has no end"] if cut else []
    assert CHECKS[stream.dialect](decode(stream.response_body)) == expected


ERROR = {"type": "error", "error": {"type": "api_error", "message": "x"}}
END = end(output_tokens=1)

ANTHROPIC: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "well-formed": ([START, PING, *text(0, "a"), *tool(1, "{}"), PING, END, STOP], []),
    "an unknown block grown by unknown deltas": (
        [START, start_block(0, type="hologram"), grow(0, "beam_delta"), stop_block(0), END, STOP],
        [],
    ),
    "an error may end it anywhere": ([START, start_block(0, type="text", text=""), ERROR], []),
    "no start": ([END, STOP], ["event 1 (message_delta) comes before message_start"]),
    "two starts": ([START, START, END, STOP], ["event 2 starts a second message"]),
    "a gap in the indices": ([START, *text(1, "a"), END, STOP], ["event 2 starts block 1 where 0 is due"]),
    "a block inside another": (
        [START, start_block(0, type="text", text=""), *text(1), END, STOP],
        ["event 3 starts a block while block 0 is open"],
    ),
    "a block that is never stopped": (
        [START, start_block(0, type="text", text=""), END, STOP],
        ["event 3 (message_delta) comes while block 0 is open"],
    ),
    "a block stopped twice": (
        [START, *text(0), stop_block(0), END, STOP],
        ["event 4 touches a block while none is open"],
    ),
    "thinking inside a text block": (
        [
            START,
            start_block(0, type="text", text=""),
            grow(0, "thinking_delta", thinking="h"),
            stop_block(0),
            END,
            STOP,
        ],
        ["event 3 grows a block of type text by thinking_delta"],
    ),
    "text on a tool's index": (
        [START, start_block(0, type="tool_use", input={}), grow(0, "text_delta", text="a"), stop_block(0), END, STOP],
        ["event 3 grows a block of type tool_use by text_delta"],
    ),
    "a delta for another block": (
        [START, start_block(0, type="text", text=""), grow(1, "text_delta", text="a"), stop_block(0), END, STOP],
        ["event 3 touches block 1 while block 0 is open"],
    ),
    "a block after the end was announced": (
        [START, END, *text(0), STOP],
        ["event 3 touches a block after message_delta", "event 4 touches a block after message_delta"],
    ),
    "anything after message_stop": ([START, END, STOP, END], ["event 4 (message_delta) comes after the end"]),
    "no message_delta": ([START, STOP], ["event 2 ends the message without message_delta"]),
    "no usage at the end": (
        [START, {"type": "message_delta", "delta": {}}, STOP],
        ["event 2 lacks its delta or its usage"],
    ),
    "no message_stop": ([START, END], ["the stream has no end"]),
    "nothing": ([], ["the stream has no end"]),
}


@pytest.mark.parametrize(("events", "expected"), ANTHROPIC.values(), ids=ANTHROPIC)
def test_anthropic(events: list[dict[str, Any]], expected: list[str]) -> None:
    assert anthropic.violations(decode(named(*events))) == expected


def test_events_must_be_whole_named_json_objects() -> None:
    body = b'event: ping\ndata: {oops\n\nevent: ping\ndata: [1]\n\nevent: pong\ndata: {"type":"ping"}\n'
    assert anthropic.violations(decode(body))[:4] == [
        "event 1 is not JSON",
        "event 2 holds no object",
        "event 3 is not ended by a blank line",
        "event 3 is named b'pong' and is of type 'ping'",
    ]


OTHER = chunk({"content": "a"}) | {"id": "chatcmpl-2"}
CHAT: dict[str, tuple[bytes, list[str]]] = {
    "well-formed": (chunks(chunk({"content": "a"}), chunk({}, "stop"), chunk(usage=USAGE) | {"choices": []}), []),
    "well-formed calls": (chunks(chunk(call(0, "c", "f")), chunk(call(1, "d", "g")), chunk({}, "tool_calls")), []),
    "an error may end it": (chunks(chunk({"content": "a"}), {"error": {"message": "x"}}, done=False), []),
    "no [DONE]": (chunks(chunk({}, "stop"), done=False), ["the stream has 0 [DONE]"]),
    "two [DONE]": (chunks(chunk({}, "stop")) + b"data: [DONE]\n\n", ["the stream has 2 [DONE]"]),
    "a chunk after [DONE]": (
        chunks(chunk({}, "stop")) + chunks({"choices": []} | chunk({}, index=1, reason="stop"), done=False),
        ["event 3 comes after [DONE]"],
    ),
    "no finish_reason": (chunks(chunk({"content": "a"})), ["choice 0 has no finish_reason"]),
    "a choice that goes on after its end": (
        chunks(chunk({}, "stop"), chunk({"content": "a"})),
        ["event 2 goes on with choice 0, which is finished"],
    ),
    "chunks of two completions": (
        chunks(chunk({}, "stop"), OTHER | {"choices": []}),
        ["event 2 belongs to another completion"],
    ),
    "a call whose name comes late": (
        chunks(chunk(call(0, "c")), chunk(call(0, name="f")), chunk({}, "tool_calls")),
        ["event 1 begins a tool call without its id or name"],
    ),
    "a gap in the calls": (
        chunks(chunk(call(1, "c", "f")), chunk({}, "tool_calls")),
        ["event 1 has tool call 1 where at most 0 is due"],
    ),
    "a whole message": (
        chunks(chunk(None, "stop")),
        ["event 1 has a choice without a delta"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), CHAT.values(), ids=CHAT)
def test_chat(body: bytes, expected: list[str]) -> None:
    assert chat.violations(decode(body)) == expected


def numbered(*events: dict[str, Any]) -> bytes:
    return named(*(event | {"sequence_number": number} for number, event in enumerate(events)))


CREATED = {"type": "response.created", "response": {}}
ITEM = {"id": "msg_1", "type": "message"}
ADDED = {"type": "response.output_item.added", "output_index": 0, "item": ITEM}
DONE = {"type": "response.output_item.done", "output_index": 0, "item": ITEM}
PART = {"type": "response.content_part.added", "output_index": 0, "item_id": "msg_1", "content_index": 0, "part": {}}
TEXT = {"type": "response.output_text.delta", "output_index": 0, "item_id": "msg_1", "content_index": 0, "delta": "a"}
COMPLETED = {"type": "response.completed", "response": {"status": "completed", "output": [ITEM]}}
FAILED = {"type": "response.failed", "response": {"status": "failed", "output": []}}
EMPTY = {"type": "response.completed", "response": {"status": "completed", "output": []}}

RESPONSES: dict[str, tuple[bytes, list[str]]] = {
    "well-formed": (numbered(CREATED, ADDED, PART, TEXT, DONE, COMPLETED), []),
    "an error may end it": (numbered(CREATED, ADDED, {"type": "error", "message": "x"}), []),
    "a failure may leave items open": (numbered(CREATED, ADDED, FAILED), []),
    "no numbers": (
        named(CREATED, EMPTY),
        ["event 1 has sequence number None after -1", "event 2 has sequence number None after -1"],
    ),
    "no response.created": (numbered(EMPTY), ["event 1 (response.completed) comes before response.created"]),
    "no end": (numbered(CREATED), ["the stream has no end"]),
    "something after the end": (
        numbered(CREATED, EMPTY, EMPTY),
        ["event 3 (response.completed) comes after response.completed"],
    ),
    "an item that is never done": (
        numbered(CREATED, ADDED, EMPTY),
        ["event 3 completes the response while item 0 is open"],
    ),
    "a delta without its item": (
        numbered(CREATED, TEXT, EMPTY),
        ["event 2 (response.output_text.delta) touches item 0, which is not open"],
    ),
    "a delta without its part": (
        numbered(CREATED, ADDED, TEXT, DONE, COMPLETED),
        ["event 3 (response.output_text.delta) touches a content part that was never added"],
    ),
    "a part without the part": (
        numbered(CREATED, ADDED, {key: PART[key] for key in PART if key != "part"}, DONE, COMPLETED),
        ["event 3 adds a content part without the part"],
    ),
    "an item done under another id": (
        numbered(CREATED, ADDED, DONE | {"item": ITEM | {"id": "msg_2"}}, COMPLETED),
        ["event 3 ends item 0 under another id", "event 4 holds other items than the stream"],
    ),
    "an item done that was never added": (
        numbered(CREATED, DONE, EMPTY),
        ["event 2 ends item 0, which is not open"],
    ),
    "a gap in the items": (
        numbered(CREATED, ADDED | {"output_index": 1}, DONE | {"output_index": 1}, COMPLETED),
        ["event 2 adds item 1 where 0 is due"],
    ),
    "a failure reported as completed": (
        numbered(CREATED, FAILED | {"type": "response.completed"}),
        ["event 2 (response.completed) holds a response of status 'failed'"],
    ),
    "an output that the stream never told": (
        numbered(CREATED, COMPLETED),
        ["event 2 holds other items than the stream"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), RESPONSES.values(), ids=RESPONSES)
def test_responses(body: bytes, expected: list[str]) -> None:
    assert responses.violations(decode(body)) == expected


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_arbitrary_events_never_raise(datas: list[bytes]) -> None:
    events = [ServerSentEvent(b"ping", data, 0, 0) for data in datas]
    for check in (anthropic.violations, chat.violations, responses.violations):
        check(events)
