"""Responses requests as neutral ones and back, and what each item means to the other dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile, ReasoningStyle
from gateway.dialects.responses.codec import CODEC
from gateway.dialects.responses.compaction import ask_for_summary
from gateway.dialects.seals import wrap_of
from gateway.dialects.turn import (
    ByFile,
    ByURL,
    Document,
    Image,
    Inline,
    Loss,
    Message,
    OutputFormat,
    ProviderTool,
    Reasoning,
    Refusal,
    Refused,
    Request,
    Role,
    Sampling,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Unknown,
)
from tests.transcripts.captured import exchanges

PROFILE = Profile(
    "openai",
    apis=("responses", "chat"),
    fields=frozenset({"temperature", "top_p"}),
    strict_tools=True,
    reasoning=ReasoningStyle("reasoning_effort", efforts=("minimal", "low", "medium", "high")),
)
CAPTURED = [exchange for exchange in exchanges() if exchange.dialect is Dialect.RESPONSES]
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"n": 1.0}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "42"}


def decode(**fields: Any) -> Request:
    return CODEC.decode_request(json.dumps({"model": "m", "input": "hi", **fields}).encode())


def messages(*items: dict[str, Any]) -> tuple[Message, ...]:
    return decode(input=list(items)).messages


def encode(request: Request, profile: Profile = PROFILE) -> tuple[dict[str, Any], list[Loss]]:
    encoded = CODEC.encode_request(request, profile)
    assert encoded.path == b"/v1/responses"
    return json.loads(encoded.body), list(encoded.losses)


def user(*parts: Any) -> Request:
    return Request("m", (Message(Role.USER, parts),))


@pytest.mark.parametrize("exchange", CAPTURED, ids=str)
def test_a_real_request_survives_the_way_there_and_back(exchange: Any) -> None:
    before = json.loads(exchange.request_body)
    after, losses = encode(CODEC.decode_request(exchange.request_body))

    def stripped(item: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in item.items() if key not in ("status", "id") and value is not None}
        for part in kept["content"] if isinstance(kept.get("content"), list) else ():
            part.pop("annotations", None)
            part.pop("logprobs", None)
        return kept

    assert [stripped(item) for item in after["input"]] == [stripped(item) for item in before["input"]]
    assert after["tools"] == before["tools"]
    for name in ("model", "stream", "tool_choice", "parallel_tool_calls", "reasoning", "include", "prompt_cache_key"):
        assert after[name] == before[name], name
    assert losses == []


def test_a_call_without_a_message_beside_it_is_the_assistants() -> None:
    question, call, result = messages({"role": "user", "content": "go"}, CALL, RESULT)
    assert question == Message(Role.USER, (Text("go"),), plain=True)
    assert call == Message(Role.ASSISTANT, (ToolCall("c1", "f", '{"n": 1.0}', item="fc_1"),))
    assert result == Message(Role.USER, (ToolResult("c1", (Text("42"),)),))


def test_a_thought_its_words_and_its_calls_are_one_message_and_parallel_results_one_other() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}],
               "encrypted_content": "BLOB"}  # fmt: skip
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
    second, answer = {**CALL, "call_id": "c2"}, {**RESULT, "call_id": "c2"}
    assistant, results = messages(thought, said, CALL, second, RESULT, answer)
    assert [type(part) for part in assistant.content] == [Thinking, Text, ToolCall, ToolCall]
    assert assistant.content[0] == Thinking("Hm", Seal(Dialect.RESPONSES, "BLOB", "rs_1"), summary=True)
    assert [part.call for part in results.content if isinstance(part, ToolResult)] == ["c1", "c2"]


def test_a_result_without_its_call_becomes_text() -> None:
    (orphan,) = messages(RESULT)
    assert [type(part) for part in orphan.content] == [Text, Text]
    assert "c1" in orphan.content[0].text  # type: ignore[union-attr]


def test_a_call_nobody_answered_is_answered_as_interrupted() -> None:
    _, result, _ = messages(CALL, {"role": "user", "content": "never mind"})
    (part,) = result.content
    assert isinstance(part, ToolResult)
    assert part.is_error


def test_a_call_at_the_end_waits_for_its_result() -> None:
    assert len(messages({"role": "user", "content": "go"}, CALL)) == 2


@pytest.mark.parametrize(
    ("call", "output", "expected"),
    [
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Begin Patch\n"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "Done"},
            ToolCall("c", "apply_patch", "*** Begin Patch\n", kind="custom"),
        ),
        (
            {"type": "local_shell_call", "id": "i", "call_id": "c", "status": "completed",
             "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5}},
            {"type": "local_shell_call_output", "id": "c", "output": "a.txt"},
            ToolCall("c", "local_shell", '{"command":["ls"],"timeout_ms":5}', kind="shell", item="i"),
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
            {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": ""}]},
            ToolCall("c", "shell", '{"commands":["ls"]}', kind="shell"),
        ),
        (
            {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no such file"},
            ToolCall("c", "apply_patch", '{"type": "delete_file", "path": "a"}', kind="patch"),
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "spawn", "namespace": "agents", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "ok"}]},
            ToolCall("c", "spawn", "{}", namespace="agents"),
        ),
    ],
)  # fmt: skip
def test_every_kind_of_call_is_read_with_its_result(
    call: dict[str, Any], output: dict[str, Any], expected: ToolCall
) -> None:
    assistant, results = messages(call, output)
    assert assistant.content == (expected,)
    (result,) = results.content
    assert isinstance(result, ToolResult)
    assert result.call == "c"
    assert result.is_error is (output.get("status") == "failed")
    assert isinstance(result.content[0], Text)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_text", "text": "a"}, Text("a")),
        ({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, Image(Inline("image/png", "AAAA"))),
        ({"type": "input_image", "image_url": {"url": "https://x/y"}, "detail": "low"},
         Image(ByURL("https://x/y"), detail="low")),
        ({"type": "input_image", "file_id": "file_1"}, Image(ByFile("file_1"))),
        ({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
         Document(Inline("application/pdf", "JVBE"), title="a.pdf")),
        ({"type": "input_file", "file_url": "https://x/a.pdf"}, Document(ByURL("https://x/a.pdf"))),
        ({"type": "refusal", "refusal": "No."}, Refusal("No.")),
        ({"type": "input_audio", "data": "x"}, Unknown(Dialect.RESPONSES, "input_audio",
                                                     '{"type": "input_audio", "data": "x"}')),
    ],
)  # fmt: skip
def test_parts_are_read(part: dict[str, Any], expected: Any) -> None:
    assert messages({"role": "user", "content": [part]})[0].content == (expected,)


def test_tools_of_every_kind_are_read() -> None:
    request = decode(
        tools=[
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True},
            {"type": "function", "function": {"name": "nested", "parameters": {}}},
            {"type": "custom", "name": "apply_patch", "description": "d", "format": {"type": "text"}},
            {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn"}]},
            {"type": "local_shell"},
            {"type": "apply_patch"},
            {"type": "web_search"},
        ],
        input=[
            {"type": "additional_tools", "tools": [{"type": "custom", "name": "exec"}]},
            {"role": "user", "content": "x"},
        ],
    )
    assert [(tool.name, tool.kind, tool.namespace) for tool in request.tools if isinstance(tool, Tool)] == [
        ("f", "function", ""),
        ("nested", "function", ""),
        ("apply_patch", "custom", ""),
        ("spawn", "function", "agents"),
        ("local_shell", "shell", ""),
        ("apply_patch", "patch", ""),
        ("exec", "custom", ""),
    ]
    assert [tool.kind for tool in request.tools if isinstance(tool, ProviderTool)] == ["web_search"]
    assert len(request.messages) == 1


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("tool", "f")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("tool", "f")),
        ({"type": "custom", "name": "p"}, ToolChoice("tool", "p", kind="custom")),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
         ToolChoice("allowed", "required", ("f",))),
    ],
)  # fmt: skip
def test_tool_choices_are_read_and_written(choice: Any, expected: ToolChoice) -> None:
    request = decode(tool_choice=choice, tools=[{"type": "function", "name": "f"}])
    assert request.tool_choice == expected
    written = encode(request)[0]["tool_choice"]
    assert written == (choice if "function" not in choice else {"type": "function", "name": "f"})


def test_structured_output_is_read_flat_and_nested_and_written_flat() -> None:
    flat = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    nested = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}
    expected = OutputFormat("json_schema", '{"type": "object"}', "n", strict=True)
    assert decode(text={"format": flat, "verbosity": "low"}).output_format == expected
    assert decode(text={"format": nested}).output_format == expected
    assert encode(decode(text={"format": flat, "verbosity": "low"}))[0]["text"] == {"format": flat, "verbosity": "low"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"[]", ""),
        (b'{"input":"x"}', "model"),
        (b'{"model":"m"}', "input"),
        (b'{"model":"m","input":3}', "input"),
        (b'{"model":"m","input":[3]}', "input.0"),
        (b'{"model":"m","input":[{"type":"message","role":"robot","content":"x"}]}', "input.0.role"),
        (b'{"model":"m","input":[{"type":"item_reference","id":"x"}]}', "input.0"),
        (b'{"model":"m","input":[{"type":"function_call","name":"f"}]}', "input.0"),
        (b'{"model":"m","input":[{"type":"compaction","encrypted_content":"theirs"}]}', "input.0"),
        (b'{"model":"m","input":"x","max_output_tokens":"many"}', "max_output_tokens"),
        (b'{"model":"m","input":"x","background":true}', "background"),
        (b'{"model":"m","input":"x","prompt":{"id":"p"}}', "prompt"),
        (b'{"model":"m","input":"x","tools":[{}]}', "tools.0"),
        (b'{"model":"m","input":"x","tool_choice":"sometimes"}', "tool_choice"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(body: bytes, field: str) -> None:
    with pytest.raises(Refused) as refused:
        CODEC.decode_request(body)
    assert refused.value.field == field
    assert refused.value.message


def test_half_a_surrogate_pair_in_an_old_result_does_not_hide_the_request() -> None:
    body = b'{"model":"m","input":[{"role":"user","content":"a\\ud800b"}]}'
    (message,) = CODEC.decode_request(body).messages
    assert message.content == (Text("a\ufffdb"),)


def test_claudes_conversation_becomes_items() -> None:
    request = Request(
        "gpt-5.5",
        (
            Message(Role.USER, (Text("look"), Image(Inline("image/png", "AAAA")))),
            Message(
                Role.ASSISTANT,
                (
                    Thinking("foreign", Seal(Dialect.ANTHROPIC, "SIG")),
                    Thinking("own", Seal(Dialect.RESPONSES, "BLOB", "rs_1")),
                    Text("I read."),
                    ToolCall("toolu_1", "Read", '{"p":1}'),
                ),
            ),
            Message(
                Role.USER,
                (ToolResult("toolu_1", (Text("see"), Image(Inline("image/png", "BBBB"))), is_error=True), Text("and?")),
            ),
            Message(Role.SYSTEM, (Text("be brief"),)),
        ),
        system=(Text("You are"), Text("helpful")),
        tools=(
            Tool("Read", "Reads.", '{"type":"object"}'),
            ProviderTool(Dialect.ANTHROPIC, "web_search_20250305", "{}"),
        ),
        max_tokens=1,
        stream=True,
        sampling=Sampling(temperature=0.5, top_k=3, stop=("x",)),
        reasoning=Reasoning(mode="enabled", budget_tokens=10_000),
        cache_key="session-1",
        extras=(("context_management", "{}"),),
    )
    body, losses = encode(request)
    assert body["instructions"] == "You are\n\nhelpful"
    assert [item["type"] for item in body["input"]] == [
        "message", "reasoning", "message", "function_call", "function_call_output", "message", "message",
    ]  # fmt: skip
    assert body["input"][0]["content"][1]["image_url"] == "data:image/png;base64,AAAA"
    assert body["input"][1] == {
        "type": "reasoning", "id": "rs_1", "encrypted_content": "BLOB",
        "summary": [{"type": "summary_text", "text": "own"}],
    }  # fmt: skip
    assert body["input"][3] == {
        "type": "function_call", "status": "completed", "call_id": "toolu_1", "name": "Read", "arguments": '{"p":1}',
    }  # fmt: skip
    assert [part["type"] for part in body["input"][4]["output"]] == ["input_text", "input_image"]
    assert body["input"][4]["output"][0]["text"] == "Error: see"
    assert (body["input"][6]["role"], body["temperature"], body["store"]) == ("system", 0.5, False)
    (tool,) = body["tools"]
    assert tool.pop("parameters") == {"type": "object", "properties": {}}
    assert tool == {"type": "function", "name": "Read", "description": "Reads.", "strict": False}
    assert body["max_output_tokens"] == 16
    assert body["reasoning"] == {"effort": "medium", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["prompt_cache_key"] == "session-1"
    assert {loss.field for loss in losses} == {
        "messages.1.content.0", "tools.1", "max_tokens", "top_k", "stop",
        "context_management",
    }  # fmt: skip


@pytest.mark.parametrize("redacted", [True, False])
def test_a_seal_of_another_dialect_comes_back_out_of_its_envelope(redacted: bool) -> None:
    """A signature without words is that of a thought that is not shown, which is another thing than a redacted one."""
    sealed = wrap_of(Thinking("", Seal(Dialect.ANTHROPIC, "SIG"), redacted))
    (message,) = messages({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": sealed})
    (thought,) = message.content
    assert isinstance(thought, Thinking)
    assert (thought.text, thought.redacted, thought.seal and thought.seal.value) == ("", redacted, "SIG")


def test_a_wish_for_a_summary_keeps_the_tools_and_forbids_them() -> None:
    request = ask_for_summary(decode(tools=[{"type": "function", "name": "f"}]), "window")
    assert (request.tool_choice, request.compact) == (ToolChoice("none"), "window")
    assert len(request.messages) == 2


def test_an_answer_keeps_numbers_and_unknown_items() -> None:
    body = {"id": "resp_1", "object": "response", "model": "g", "status": "completed", "created_at": 5, "error": None,
            "output": [{"type": "message", "id": "m", "role": "assistant",
                        "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]},
                       {"type": "web_search_call", "id": "w", "big": 12345678901234567890},
                       {**CALL, "status": "completed"}],
            "usage": {"input_tokens": 3, "output_tokens": 2}}  # fmt: skip
    answer = CODEC.decode_answer(json.dumps(body).encode(), decode(), PROFILE)
    again = json.loads(CODEC.encode_answer(answer, decode()))  # type: ignore[arg-type]
    assert [item["type"] for item in again["output"]] == ["message", "web_search_call", "function_call"]
    assert again["output"][1] == body["output"][1]  # type: ignore[index]
    assert again["output"][2]["arguments"] == CALL["arguments"]
    assert (again["status"], again["usage"]["total_tokens"], again["created_at"]) == ("completed", 5, 5)
