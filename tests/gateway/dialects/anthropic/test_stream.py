"""Anthropic's events folded into the message that the non-streaming API would have given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.names import Dialect
from tests.gateway.dialects.streams import named
from tests.gateway.dialects.streams import read as read_any
from tests.transcripts.captured import exchange

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 7, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def start_block(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grow(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def stop_block(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


def text(index: int, *parts: str) -> list[dict[str, Any]]:
    grown = [grow(index, "text_delta", text=part) for part in parts]
    return [start_block(index, type="text", text=""), *grown, stop_block(index)]


def tool(index: int, *parts: str, **block: Any) -> list[dict[str, Any]]:
    grown = [grow(index, "input_json_delta", partial_json=part) for part in parts]
    start = start_block(index, **({"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}} | block))
    return [start, *grown, stop_block(index)]


def read(*events: dict[str, Any]) -> Any:
    return read_any(Dialect.ANTHROPIC, named(*events))


def blocks(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of a message with these events in its middle; nothing may be odd about it."""
    answer = read(START, *events, end(output_tokens=5), STOP)
    assert answer.warnings == []
    return answer.message["content"]


PAGE = {"type": "web_search_result", "title": "t", "url": "u", "encrypted_content": "e", "page_age": None}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [PAGE]}
PLACE = {"document_index": 0, "document_title": "d", "start_char_index": 0, "end_char_index": 1, "file_id": None}
CITATIONS = [{"type": "char_location", "cited_text": part} | PLACE for part in "ab"]

BLOCKS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "text in pieces": (text(0, "Hel", "lo"), [{"type": "text", "text": "Hello"}]),
    "text without deltas": (text(0), [{"type": "text", "text": ""}]),
    "text that its start already holds": (
        [start_block(0, type="text", text="Hel"), grow(0, "text_delta", text="lo"), stop_block(0)],
        [{"type": "text", "text": "Hello"}],
    ),
    "thinking with its signature": (
        [
            start_block(0, type="thinking", thinking="", signature=""),
            grow(0, "thinking_delta", thinking="hm"),
            grow(0, "thinking_delta", thinking="m"),
            grow(0, "signature_delta", signature="c2ln"),
            stop_block(0),
        ],
        [{"type": "thinking", "thinking": "hmm", "signature": "c2ln"}],
    ),
    "thinking that is left out keeps its signature": (
        [start_block(0, type="thinking", thinking="", signature=""), grow(0, "signature_delta", signature="s")],
        [{"type": "thinking", "thinking": "", "signature": "s"}],
    ),
    "redacted thinking is kept as it came": (
        [start_block(0, type="redacted_thinking", data="b3BhcXVl"), stop_block(0)],
        [{"type": "redacted_thinking", "data": "b3BhcXVl"}],
    ),
    "tool input from partial JSON, cut inside an escape": (
        tool(0, "", '{"command":"a\\', 'u00e9","n', '":[1.50,null]}'),
        [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "aé", "n": [1.5, None]}}],
    ),
    "a tool without input keeps the input of its start": (
        tool(0),
        [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}],
    ),
    "tool calls one after the other": (
        tool(0, '{"a":1}') + tool(1, '{"b":2}', id="toolu_2"),
        [
            {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {"b": 2}},
        ],
    ),
    "tool calls that grow by turns": (
        [
            start_block(0, type="tool_use", id="t0", name="A", input={}),
            start_block(1, type="tool_use", id="t1", name="B", input={}),
            grow(1, "input_json_delta", partial_json='{"b"'),
            grow(0, "input_json_delta", partial_json='{"a":1}'),
            grow(1, "input_json_delta", partial_json=":2}"),
            stop_block(0),
            stop_block(1),
        ],
        [
            {"type": "tool_use", "id": "t0", "name": "A", "input": {"a": 1}},
            {"type": "tool_use", "id": "t1", "name": "B", "input": {"b": 2}},
        ],
    ),
    "a server tool and its result": (
        [
            *tool(0, '{"query":"x"}', type="server_tool_use", id="srvtoolu_1", name="web_search"),
            start_block(1, **RESULT),
            stop_block(1),
        ],
        [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}, RESULT],
    ),
    "citations": (
        [
            start_block(0, type="text", text="", citations=[]),
            *(grow(0, "citations_delta", citation=citation) for citation in CITATIONS),
            grow(0, "text_delta", text="x"),
            stop_block(0),
        ],
        [{"type": "text", "text": "x", "citations": CITATIONS}],
    ),
    "citations on a block that began with none": (
        [start_block(0, type="text", text="", citations=None), grow(0, "citations_delta", citation={"a": 1})],
        [{"type": "text", "text": "", "citations": [{"a": 1}]}],
    ),
    "a compaction": (
        [
            start_block(0, type="compaction", content=None),
            grow(0, "compaction_delta", content="summary", encrypted_content="e"),
            stop_block(0),
        ],
        [{"type": "compaction", "content": "summary", "encrypted_content": "e"}],
    ),
    "a block of an unknown type is kept as it came": (
        [start_block(0, type="hologram", beams=[1, 2]), stop_block(0)],
        [{"type": "hologram", "beams": [1, 2]}],
    ),
    "pings and unknown events between": (
        [PING, start_block(0, type="text", text=""), PING, {"type": "weather"}, grow(0, "text_delta", text="a")],
        [{"type": "text", "text": "a"}],
    ),
}


@pytest.mark.parametrize(("events", "content"), BLOCKS.values(), ids=BLOCKS)
def test_blocks(events: list[dict[str, Any]], content: list[dict[str, Any]]) -> None:
    assert blocks(*events) == content


def test_a_whole_message() -> None:
    answer = read(START, *text(0, "a"), end("stop_sequence", output_tokens=5) | {"context_management": {}}, STOP)
    assert answer.message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "stop_sequence",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 7, "output_tokens": 5},
        "context_management": {},
    }
    assert (answer.model, answer.stop_reason, answer.complete) == ("claude-x", "stop_sequence", True)
    assert answer.is_stream
    assert (answer.error_type, answer.warnings) == (None, [])


def test_further_keys_of_the_end_are_kept() -> None:
    last = end("refusal", output_tokens=5)
    last["delta"] |= {"stop_details": {"category": "cyber"}, "container": {"id": "c"}}
    answer = read(START, last | {"safeguard_results": [1]}, STOP)
    assert answer.message["stop_details"] == {"category": "cyber"}
    assert answer.message["container"] == {"id": "c"}
    assert answer.message["safeguard_results"] == [1]


def test_the_model_is_that_of_the_last_fallback() -> None:
    fallback = start_block(0, type="fallback", to={"model": "claude-y"})
    answer = read(START, fallback, stop_block(0), end(output_tokens=1), STOP)
    assert answer.model == answer.message["model"] == "claude-y"


USAGES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "the end's counts replace the start's placeholders": (
        [end(output_tokens=50, input_tokens=12)],
        {"input_tokens": 12, "cache_read_input_tokens": 7, "output_tokens": 50},
    ),
    "null says nothing new": (
        [end(input_tokens=None, output_tokens=5)],
        {"input_tokens": 10, "cache_read_input_tokens": 7, "output_tokens": 5},
    ),
    "zero does": (
        [end(input_tokens=0, output_tokens=5)],
        {"input_tokens": 0, "cache_read_input_tokens": 7, "output_tokens": 5},
    ),
    "counts are cumulative: they are not added": (
        [end(None, output_tokens=5), end(output_tokens=9)],
        {"input_tokens": 10, "cache_read_input_tokens": 7, "output_tokens": 9},
    ),
    "unknown keys are kept, null ones too; objects merge, lists are replaced": (
        [
            end(None, server_tool_use={"web_search_requests": 1}, iterations=[1], speed=None),
            end(server_tool_use={"web_fetch_requests": 2}, iterations=[1, 2]),
        ],
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 7,
            "output_tokens": 1,
            "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 2},
            "iterations": [1, 2],
            "speed": None,
        },
    ),
    "a cut stream has what its start said": (
        [],
        {"input_tokens": 10, "cache_read_input_tokens": 7, "output_tokens": 1},
    ),
}


@pytest.mark.parametrize(("events", "usage"), USAGES.values(), ids=USAGES)
def test_usage(events: list[dict[str, Any]], usage: dict[str, Any]) -> None:
    answer = read(START, *events)
    assert answer.usage == usage
    assert answer.message["usage"] == usage


def test_usage_given_only_at_the_start_is_not_lost() -> None:
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    assert read(START, last, STOP).usage == START["message"]["usage"]


def test_usage_given_only_at_the_end_is_all_there_is() -> None:
    start = {"type": "message_start", "message": {"type": "message", "content": []}}
    assert read(start, end(output_tokens=3), STOP).usage == {"output_tokens": 3}


def test_the_stop_reason_is_the_ends_not_the_starts() -> None:
    assert read(START).stop_reason is None
    assert read(START, end("tool_use")).stop_reason == "tool_use"
    assert read(START, end("tool_use"), end(None)).stop_reason == "tool_use"


def test_input_that_is_not_json_is_kept_as_text_beside_the_input() -> None:
    answer = read(START, *tool(0, '{"a":', "oops}"), end("tool_use"), STOP)
    assert answer.message["content"] == [
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}, "_partial_json": '{"a":oops}'}
    ]
    assert answer.warnings == ["the input of block 0 is not JSON"]


def test_input_that_the_cut_left_unfinished_is_kept_too() -> None:
    answer = read(START, *tool(0, '{"a":')[:-1])
    assert answer.message["content"][0]["_partial_json"] == '{"a":'
    assert answer.warnings == ["the input of block 0 was cut off"]


def test_deltas_nobody_knows_are_kept_as_they_came() -> None:
    unknown = [grow(0, "beam_delta", beam=1), grow(0, "text_delta", text=5)]
    answer = read(START, start_block(0, type="text", text=""), *unknown, grow(0, "text_delta", text="a"), stop_block(0))
    assert answer.message["content"] == [
        {"type": "text", "text": "a", "_deltas": [event["delta"] for event in unknown]}
    ]
    assert len(answer.warnings) == 2


def test_an_error_event_ends_the_stream_but_keeps_the_message() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    answer = read(START, *text(0, "a"), error)
    assert (answer.error_type, answer.error_message) == ("overloaded_error", "Overloaded")
    assert not answer.complete
    assert answer.message["content"] == [{"type": "text", "text": "a"}]


def test_an_error_event_alone_is_no_message() -> None:
    answer = read({"type": "error", "error": {"type": "api_error", "message": "x"}})
    assert answer.message is None
    assert answer.error_type == "api_error"


ODD: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], int]] = {
    "a delta without its block": ([grow(0, "text_delta", text="a")], [{"type": "text", "text": "a"}], 1),
    "thinking without its block": (
        [grow(0, "thinking_delta", thinking="a")],
        [{"type": "thinking", "thinking": "a", "signature": ""}],
        1,
    ),
    "two streams spliced into one, so that indices begin again": (
        [*text(0, "a"), *text(0, "b")],
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        1,
    ),
    "a block stopped twice": ([*text(0, "a"), stop_block(0)], [{"type": "text", "text": "a"}], 0),
    "a block stopped that never began": ([stop_block(3)], [], 1),
    "a second start": ([START, *text(0, "a")], [{"type": "text", "text": "a"}], 1),
    "blocks without an index": (
        [{"type": "content_block_start", "content_block": {"type": "text", "text": ""}}],
        [{"type": "text", "text": ""}],
        1,
    ),
}


@pytest.mark.parametrize(("events", "content", "warnings"), ODD.values(), ids=ODD)
def test_odd_streams(events: list[dict[str, Any]], content: list[dict[str, Any]], warnings: int) -> None:
    answer = read(START, *events, end(), STOP)
    assert answer.message["content"] == content
    assert len(answer.warnings) == warnings


def test_blocks_without_a_message_start_are_not_lost() -> None:
    answer = read(*text(0, "a"), end(output_tokens=2), STOP)
    assert answer.message["content"] == [{"type": "text", "text": "a"}]
    assert answer.usage == {"output_tokens": 2}
    assert len(answer.warnings) == 1


def test_a_surrogate_pair_cut_between_two_deltas_is_joined() -> None:
    body = named(START, start_block(0, type="text", text=""))
    for half in (rb"\ud83d", rb"\ude80 ok"):
        delta = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}' % half
        body += b"event: content_block_delta\ndata: " + delta + b"\n\n"
    answer = read_any(Dialect.ANTHROPIC, body)
    assert answer.message is not None
    assert answer.message["content"][0]["text"] == "\U0001f680 ok"


def test_a_megabyte_of_tool_input_in_small_pieces() -> None:
    written = json.dumps({"text": "x" * 1_000_000})
    pieces = [written[start : start + 200] for start in range(0, len(written), 200)]
    assert blocks(*tool(0, *pieces))[0]["input"] == {"text": "x" * 1_000_000}


def test_a_captured_stream_with_three_tool_calls() -> None:
    answer = read_any(Dialect.ANTHROPIC, exchange("claude_parallel_tools-1").response_body)
    assert answer.message is not None
    content = answer.message["content"]
    assert [block["type"] for block in content] == ["thinking", "text", "tool_use", "tool_use", "tool_use"]
    assert content[0]["thinking"] == "Let me think about this… step 1, step 2 ✓."
    assert content[0]["signature"].startswith("ZmFrZS1zaWduYXR1cmUt")
    assert [block["input"] for block in content[2:]] == [
        {"command": "echo fake-tool-$((40+2)) && pwd", "description": "Print a marker"},
        {"file_path": "/etc/hostname"},
        {"command": "printf 'second-%s' call", "description": "Second"},
    ]
    assert answer.message["context_management"] == {"applied_edits": []}


def test_a_captured_stream_that_was_cut() -> None:
    answer = read_any(Dialect.ANTHROPIC, exchange("claude_stream_cut_then_resume-1").response_body)
    assert answer.message is not None
    assert answer.message["content"][1] == {"type": "text", "text": "Hello from the fake mode"}
    assert (answer.complete, answer.stop_reason, answer.error_type) == (False, None, None)
