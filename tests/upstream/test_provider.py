"""The fake provider is good enough for the real SDKs, and keeps true books."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from tests.upstream import Exchange, FakeProvider

USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
TOOL = {"name": "get_weather", "description": "weather", "input_schema": SCHEMA}


@pytest.mark.parametrize("kind", ["text", "thinking", "tools", "parallel_tools"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_the_anthropic_sdk_understands_messages(kind: str, is_stream: bool) -> None:
    async with FakeProvider() as provider, anthropic.AsyncAnthropic(base_url=provider.url, api_key="k") as client:
        options = {
            "model": "claude-opus-5-5",
            "max_tokens": 50,
            "messages": [USER],
            "tools": [TOOL],
            "extra_headers": {"x-scenario": kind},
        }
        if is_stream:
            async with client.messages.stream(**options) as stream:
                message = await stream.get_final_message()
        else:
            message = await client.messages.create(**options)
    kinds = [block.type for block in message.content]
    calls = {"tools": 1, "parallel_tools": 2}.get(kind, 0)
    assert kinds == ["thinking"] * (kind == "thinking") + ["text"] + ["tool_use"] * calls
    assert message.stop_reason == ("tool_use" if calls else "end_turn")
    assert message.usage.output_tokens > 0
    assert all(block.input == {"location": "Zürich"} for block in message.content if block.type == "tool_use")


async def test_the_openai_sdk_understands_chat_and_responses() -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
    asked = {"role": "user", "content": 'Please use the tool get_weather with {"location": "Bern"} now'}
    async with FakeProvider() as provider, openai.AsyncOpenAI(base_url=provider.url + "/v1", api_key="k") as client:
        chunks = await client.chat.completions.create(
            model="gpt-5.5", stream=True, stream_options={"include_usage": True}, messages=[asked], tools=[tool]
        )
        last = [chunk async for chunk in chunks][-1]
        whole = await client.chat.completions.create(model="gpt-5.5", messages=[asked], tools=[tool])
        async with client.responses.stream(
            model="gpt-5.5", input="use the tool get_weather", extra_headers={"x-scenario": "thinking"}
        ) as stream:
            response = await stream.get_final_response()
    assert last.choices == []
    assert last.usage is not None
    assert whole.choices[0].message.tool_calls[0].function.arguments == '{"location": "Bern"}'
    assert [item.type for item in response.output] == ["reasoning", "function_call"]


async def test_a_request_with_a_tools_result_gets_text() -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "use the tool Bash"}]}
    async with FakeProvider() as provider, httpx.AsyncClient(base_url=provider.url) as client:
        answer = (await client.post("/v1/messages", json={"messages": [USER, result]})).json()
    assert [block["type"] for block in answer["content"]] == ["text"]


async def test_the_control_endpoint_sets_the_scenario_of_the_next_requests() -> None:
    async with FakeProvider() as provider, httpx.AsyncClient(base_url=provider.url) as client:
        entry = {"scenario": "error;status=529", "count": 2, "path": "/v1/messages"}
        await client.post("/_control", json=entry)
        paths = ["/v1/embeddings", "/v1/messages", "/v1/messages", "/v1/messages"]
        assert [(await client.post(path, json={})).status_code for path in paths] == [200, 529, 529, 200]
        assert len(provider.requests) == 4


async def test_a_scripted_handler_writes_what_it_likes() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\n" + exchange.request.body[:2])

    async with FakeProvider() as provider, httpx.AsyncClient(base_url=provider.url) as client:
        provider.script("mine", handler)
        answer = await client.post("/x", content=b"abc", headers={"x-scenario": "mine;a=b"})
    assert (answer.status_code, answer.content) == (299, b"ab")


async def test_it_notices_at_once_that_the_client_left() -> None:
    async with FakeProvider() as provider:
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(b"POST /v1/messages HTTP/1.1\r\nx-scenario: silence\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await provider.until(lambda: provider.requests[0].aborted, seconds=1)
        await asyncio.wait_for(provider.requests[0].ended.wait(), 1)


async def test_the_process_prints_its_address_and_logs_each_exchange(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.upstream", "--log", str(log), "--name", "one", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().removeprefix("listening on ").strip()
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/v1/messages", content=b'{"stream":true}')
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    line = json.loads(log.read_text())
    assert line["provider"] == "one"
    assert line["request_sha256"] == hashlib.sha256(b'{"stream":true}').hexdigest()
    assert line["response_sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert line["request_id"] == answer.headers["request-id"]
    assert (line["aborted"], line["response_finished"]) == (False, True)
