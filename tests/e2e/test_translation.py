"""Callers whose model's provider speaks another API, through a running gateway with the real SDKs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import anthropic
import openai
import pytest
from pydantic import BaseModel

from gateway.dialects.anthropic import grammar as anthropic_grammar
from gateway.dialects.sse import SSEDecoder
from tests.e2e.processes import ROOT, WebProcess, last_request, last_response, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Answer, Pairs, Wire, ask
from tests.upstream import FakeProvider

ENGINE_KEY = "the-engines-own-key"
CLAUDE_KEY = "sk-ant-api03-the-other-way"
DOCUMENT = """
providers:
  - {{name: engine, dialect: openai, address: {url}, profile: vllm, credentials: [{{name: main, secret: {engine}}}]}}
  - {{name: claude, dialect: anthropic, address: {url}, credentials: [{{name: main, secret: {claude}}}]}}
  - {{name: blind, dialect: openai, address: {url}, profile: deepseek, keyless: true}}
routes:
  - {{match: "claude-*", provider: engine, model: qwen3-coder}}
  - {{match: blind-first, provider: blind, model: deepseek-chat, targets: [{{provider: engine, model: qwen3-vl}}]}}
  - {{match: "gpt-*", provider: claude, model: claude-opus-4-5}}
"""
USER: Any = {"role": "user", "content": "hi"}
TOOLS: Any = [
    {"name": "get_weather", "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}}}
]
FUNCTIONS: Any = [
    {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}} for tool in TOOLS
]
CALLERS_OWN: Pairs = [(b"x-api-key", b"sk-ant-the-callers-own"), (b"content-type", b"application/json")]


@pytest.fixture(scope="module")
def foreign_web(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    """Every Claude model leads to an engine that speaks Chat Completions, every GPT to one that speaks Messages.

    Keyed, for a gateway that is open spends no credential of its own."""
    directory = tmp_path_factory.mktemp("foreign")
    keys = directory / "keys"
    keys.write_text("anthropic=sk-ant-the-callers-own\nopenai=sk-proj-own\n")
    environment = upstreams | {"TURNLOG_ACCESS_KEYS_FILE": str(keys)}
    web = WebProcess(directory, session_database_url, **environment)
    document = DOCUMENT.format(url=provider_thread.url, engine=ENGINE_KEY, claude=CLAUDE_KEY)
    config(web, "apply", "-", document=document)
    with running_web(web.directory, session_database_url, **environment) as process:
        yield process
    config(web, "apply", "-", "--prune", "--yes", document="providers: []\nroutes: []\n")


def config(web: WebProcess, *arguments: str, document: str) -> None:
    command = [sys.executable, "manage.py", "config", *arguments]
    ran = subprocess.run(
        command, cwd=ROOT, env=web.environment, input=document, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def claude(foreign_web: WebProcess, provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=foreign_web.url, api_key="sk-ant-the-callers-own", max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(foreign_web: WebProcess, provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=foreign_web.url + "/v1", api_key="sk-proj-own", max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def ordinary(provider_thread: FakeProvider) -> Iterator[None]:
    """The provider behaves, unless a test says how not to."""
    yield
    provider_thread.default_scenario = "text"


def asked(text: str) -> dict[str, Any]:
    return {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": text}]}


def messages(web: WebProcess, mark: str = "beta=true", **more: Any) -> Answer:
    body = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], **more}
    return ask(web, "POST", f"/v1/messages?{mark}", CALLERS_OWN, json.dumps(body).encode())


def test_a_message_is_answered_by_an_engine_that_speaks_chat_completions(
    foreign_web: WebProcess, provider: FakeProvider
) -> None:
    answer = messages(foreign_web, stream=True, thinking={"type": "adaptive"}, context_management={"edits": []})
    assert answer.status == 200
    assert anthropic_grammar.violations(SSEDecoder().feed(answer.body)) == []
    seen = last_request(provider)
    assert seen.target == b"/v1/chat/completions"
    asked = json.loads(seen.body)
    assert (asked["model"], asked["stream_options"]) == ("qwen3-coder", {"include_usage": True})
    exchange = find(foreign_web, "beta=true")
    assert exchange.admission.dialect == "anthropic"
    assert exchange.response == last_response(provider).body
    assert exchange.translated is not None
    assert exchange.translated.dialect == "chat"
    assert [loss.field for loss in exchange.translated.losses] == ["context_management"]


def test_betas_stay_with_the_fields_they_allow_and_are_noted(foreign_web: WebProcess, provider: FakeProvider) -> None:
    betas = (b"anthropic-beta", b"context-management-2025-06-27,never-heard-of")
    body = json.dumps(asked("hi") | {"context_management": {"edits": []}}).encode()
    assert ask(foreign_web, "POST", "/v1/messages?betas=1", [*CALLERS_OWN, betas], body).status == 200
    seen = last_request(provider)
    assert seen.header("anthropic-beta") is None
    assert "context_management" not in json.loads(seen.body)
    translated = find(foreign_web, "betas=1").translated
    assert translated is not None
    assert [loss.field for loss in translated.losses] == ["context_management", "anthropic-beta"]


def test_no_credential_of_the_callers_goes_to_a_foreign_provider(
    foreign_web: WebProcess, provider: FakeProvider
) -> None:
    assert messages(foreign_web).status == 200
    seen = last_request(provider)
    assert seen.header("authorization") == b"Bearer " + ENGINE_KEY.encode()
    assert seen.header("x-api-key") is None
    assert b"the-callers-own" not in b"".join(value for _, value in seen.headers)


def test_the_anthropic_sdk_streams_thoughts_and_parallel_calls(
    claude: anthropic.Anthropic, provider: FakeProvider
) -> None:
    provider.default_scenario = "thinking"
    with claude.messages.stream(**asked("Think.")) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert {"thinking", "text"} <= set(kinds)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert (message.model, message.stop_reason) == ("claude-x", "end_turn")
    assert message.usage.output_tokens > 0
    provider.default_scenario = "parallel_tools"
    with claude.messages.stream(**asked("Look twice."), tools=TOOLS) as stream:
        calls = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"location": "Zürich"}] * 2
    assert len({call.id for call in calls}) == 2


def test_the_anthropic_sdks_tool_runner_finishes_its_loop(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    seen: list[str] = []

    @anthropic.beta_tool
    def get_weather(location: str) -> str:
        """The weather somewhere.

        Args:
            location: a city.
        """
        seen.append(location)
        return "sunny"

    runner = claude.beta.messages.tool_runner(tools=[get_weather], **asked("use the tool get_weather"))
    message = runner.until_done()
    assert seen == ["Zürich"]
    assert message.stop_reason == "end_turn"
    results = [turn for turn in json.loads(last_request(provider).body)["messages"] if turn["role"] == "tool"]
    assert [result["content"] for result in results] == ["sunny"]


class Place(BaseModel):
    city: str
    people: int


def test_both_sdks_parse_structured_output(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, provider: FakeProvider
) -> None:
    message = claude.messages.parse(**asked("A place."), output_format=Place)
    assert message.parsed_output == Place(city="example", people=1)
    completion = gpt.chat.completions.parse(model="gpt-x", messages=[USER], response_format=Place)
    assert completion.choices[0].message.parsed == Place(city="example", people=1)
    assert last_request(provider).target == b"/v1/messages"


def test_the_openai_sdk_streams_calls_of_a_messages_provider(gpt: openai.OpenAI, provider: FakeProvider) -> None:
    provider.default_scenario = "parallel_tools"
    with gpt.chat.completions.stream(
        model="gpt-x", messages=[USER], tools=FUNCTIONS, stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"location": "Zürich"}] * 2
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 0
    assert last_request(provider).header("x-api-key") == CLAUDE_KEY.encode()


def test_the_openai_sdk_asks_and_answers_without_a_stream(gpt: openai.OpenAI, provider: FakeProvider) -> None:
    turns: list[Any] = [USER | {"content": "use the tool get_weather"}]
    first = gpt.chat.completions.create(model="gpt-x", messages=turns, tools=FUNCTIONS)
    assert first.choices[0].finish_reason == "tool_calls"
    call = (first.choices[0].message.tool_calls or [])[0]
    turns += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = gpt.chat.completions.create(model="gpt-x", messages=turns, tools=FUNCTIONS)
    assert second.choices[0].finish_reason == "stop"
    sent = json.loads(last_request(provider).body)["messages"][-1]["content"]
    assert [block["type"] for block in sent] == ["tool_result"]


STATUSES = {
    "error_429": (429, "rate_limit_error", b"7"),
    "error_529": (529, "overloaded_error", None),
    "error_503": (503, "api_error", None),
    "error_401": (401, "authentication_error", None),
    "html_503": (503, "api_error", None),
    "html_200": (502, "api_error", None),
    "empty_200": (502, "api_error", None),
    "empty_stream": (502, "api_error", None),
    "error_event_first": (529, "overloaded_error", None),
}


@pytest.mark.parametrize("scenario", STATUSES)
def test_a_failure_of_the_provider_keeps_its_status_and_says_so_in_the_callers_dialect(
    foreign_web: WebProcess, provider: FakeProvider, scenario: str
) -> None:
    status, kind, retry_after = STATUSES[scenario]
    provider.default_scenario = scenario
    answer = messages(foreign_web, stream=True, mark=f"failure={scenario}")
    error = json.loads(answer.body)
    assert (answer.status, error["type"], error["error"]["type"]) == (status, "error", kind)
    assert answer.header(b"retry-after") == retry_after
    assert find(foreign_web, f"failure={scenario}").end.outcome == "upstream_error"


def test_an_error_amid_a_stream_is_the_dialects_own_event(foreign_web: WebProcess, provider: FakeProvider) -> None:
    provider.default_scenario = "error_event"
    answer = messages(foreign_web, stream=True)
    events = SSEDecoder().feed(answer.body)
    assert (answer.status, events[-1].name) == (200, b"error")
    assert anthropic_grammar.violations(events) == []


def test_a_cut_connection_is_an_error_and_no_clean_end(foreign_web: WebProcess, provider: FakeProvider) -> None:
    provider.default_scenario = "cut_rst;after_events=4"
    answer = messages(foreign_web, stream=True, mark="cut=1")
    assert SSEDecoder().feed(answer.body)[-1].name == b"error"
    assert not answer.whole
    assert find(foreign_web, "cut=1").end.outcome == "upstream_aborted"


def test_json_although_a_stream_was_asked_for_is_a_stream(foreign_web: WebProcess, provider: FakeProvider) -> None:
    provider.default_scenario = "json_although_stream"
    answer = messages(foreign_web, stream=True)
    assert answer.header(b"content-type") == b"text/event-stream; charset=utf-8"
    assert anthropic_grammar.violations(SSEDecoder().feed(answer.body)) == []


def test_a_request_that_cannot_be_said_there_is_a_400_and_goes_nowhere(
    foreign_web: WebProcess, provider: FakeProvider
) -> None:
    answer = messages(foreign_web, safeguards=[{"type": "x"}])
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert "safeguards" in error["message"]
    assert not provider.requests


def test_an_image_goes_to_the_routes_next_target_where_the_first_sees_nothing(
    foreign_web: WebProcess, provider: FakeProvider
) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    seen = [{"role": "user", "content": [picture]}]
    assert messages(foreign_web, mark="seen=1", model="blind-first", messages=seen).status == 200
    assert messages(foreign_web, mark="seen=2", model="blind-first").status == 200
    assert [json.loads(request.body)["model"] for request in provider.requests] == ["qwen3-vl", "deepseek-chat"]


def test_a_client_that_leaves_ends_the_providers_answer(foreign_web: WebProcess, provider: FakeProvider) -> None:
    provider.default_scenario = "silence;after_events=3"
    with Wire(foreign_web) as wire:
        body = {"model": "claude-x", "max_tokens": 9, "stream": True, "messages": [USER]}
        wire.request("POST", b"/v1/messages?gone=1", CALLERS_OWN, json.dumps(body).encode())
        assert wire.head().status == 200
    assert find(foreign_web, "gone=1").end.outcome == "client_disconnected"
    assert not last_response(provider).is_finished


def test_a_silent_provider_is_covered_by_pings(foreign_web: WebProcess, provider: FakeProvider) -> None:
    body = json.dumps({"model": "claude-x", "max_tokens": 9, "stream": True, "messages": [USER]}).encode()
    with Wire(foreign_web, timeout=25) as unbegun, Wire(foreign_web, timeout=25) as begun:
        for wire, events in ((unbegun, 0), (begun, 3)):
            provider.default_scenario = f"silence;after_events={events}"
            wire.request("POST", b"/v1/messages", CALLERS_OWN, body)
            until(lambda: len(provider.requests) == 1, what="the request at the provider")
            provider.requests.clear()
        for wire in (unbegun, begun):
            assert wire.head().status == 200
            while b"event: ping" not in wire.buffer:
                assert wire.fill()


def test_a_context_overflow_is_worded_for_recovery(foreign_web: WebProcess, provider: FakeProvider) -> None:
    said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 10015 tokens."
    provider.default_scenario = f"error;status=400;text={quote(said)}"
    error = json.loads(messages(foreign_web).body)["error"]
    assert error["message"].startswith("prompt is too long: 10015 tokens > 8192 maximum. This model's maximum")
    assert error["message"].endswith("(model qwen3-coder)")


def test_the_trace_goes_on_to_a_provider_of_another_dialect_as_it_came(
    foreign_web: WebProcess, provider: FakeProvider
) -> None:
    trace = [(b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), (b"tracestate", b"a=1,b=2")]
    body = json.dumps(asked("hi")).encode()
    assert ask(foreign_web, "POST", "/v1/messages", CALLERS_OWN + trace, body).status == 200
    seen = last_request(provider)
    assert seen.target == b"/v1/chat/completions"
    assert [pair for pair in seen.headers if pair[0].lower().startswith(b"trace")] == trace
