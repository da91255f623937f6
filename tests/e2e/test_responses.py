"""Callers of the Responses API whose model's provider speaks another, through a running gateway with the real SDK; and
what the gateway keeps for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
import zstandard
from pydantic import BaseModel

from gateway.dialects.responses import grammar
from gateway.dialects.sse import SSEDecoder
from tests.conftest import free_port
from tests.e2e.processes import WebProcess, last_request, running_web
from tests.e2e.spooled import find
from tests.e2e.test_translation import config
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider

ADA, GRACE = "tl_ada-and-her-key-0123456789", "plain-key-of-grace-0123456789"
DOCUMENT = """
providers:
  - {{name: engine, dialect: openai, address: {url}, profile: chutes, credentials: [{{name: main, secret: key-e}}]}}
  - {{name: claude, dialect: anthropic, address: {url}, credentials: [{{name: main, secret: sk-ant-api03-own}}]}}
  - {{name: gpt, dialect: openai, address: {url}, profile: openai, credentials: [{{name: main, secret: sk-gpt}}]}}
routes:
  - {{match: "over-chat*", provider: engine, model: qwen3-coder}}
  - {{match: "over-messages*", provider: claude, model: claude-opus-4-5}}
  - {{match: "claude-*", provider: gpt, model: gpt-5.5}}
  - {{match: "own-*", provider: gpt, model: gpt-5.5}}
"""
MODELS = ["over-chat", "over-messages"]
TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
        "strict": False,
    }
]
PATCH: Any = [{"type": "custom", "name": "apply_patch", "description": "Edits files."}]


@pytest.fixture(scope="module")
def translating_web(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    directory = tmp_path_factory.mktemp("responses")
    (directory / "keys").write_text(f"ada={ADA}\ngrace={GRACE}\n")
    environment = upstreams | {"TURNLOG_ACCESS_KEYS_FILE": str(directory / "keys")}
    web = WebProcess(directory, session_database_url, **environment)
    config(web, "apply", "-", document=DOCUMENT.format(url=provider_thread.url))
    with running_web(directory, session_database_url, **environment) as process:
        yield process
    config(web, "apply", "-", "--prune", "--yes", document="providers: []\nroutes: []\n")


@pytest.fixture
def ada(translating_web: WebProcess, provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=translating_web.url + "/v1", api_key=ADA, max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def ordinary(provider_thread: FakeProvider) -> Iterator[None]:
    yield
    provider_thread.default_scenario = "text"


def headers(key: str = ADA) -> Pairs:
    return [(b"authorization", b"Bearer " + key.encode()), (b"content-type", b"application/json")]


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_answer(ada: openai.OpenAI, provider: FakeProvider, model: str) -> None:
    response = ada.responses.create(model=model, input="hello", instructions="Be brief.")
    assert response.status == "completed"
    assert response.output_text
    assert response.id.startswith("resp_")
    assert response.usage is not None
    assert response.usage.input_tokens > 0
    asked = json.loads(last_request(provider).body)
    assert asked["model"] in ("qwen3-coder", "claude-opus-4-5")


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_through_the_sdks_helper(ada: openai.OpenAI, model: str) -> None:
    with ada.responses.stream(model=model, input="hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert final.output_text


@pytest.mark.parametrize("model", MODELS)
def test_a_turn_with_a_tool(ada: openai.OpenAI, provider: FakeProvider, model: str) -> None:
    provider.default_scenario = "tools"
    first = ada.responses.create(model=model, input="weather?", tools=TOOLS)
    (call,) = (item for item in first.output if item.type == "function_call")
    assert call.name == "get_weather"
    provider.default_scenario = "text"
    history: Any = [{"role": "user", "content": "weather?"}, *(item.model_dump() for item in first.output)]
    history.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    second = ada.responses.create(model=model, input=history, tools=TOOLS, store=False)
    assert second.output_text
    asked = json.loads(last_request(provider).body)
    assert "sunny" in json.dumps(asked["messages"][-1])


@pytest.mark.parametrize("model", MODELS)
def test_a_custom_tool_stays_one_to_the_caller(ada: openai.OpenAI, provider: FakeProvider, model: str) -> None:
    provider.default_scenario = "tools"
    response = ada.responses.create(model=model, input="patch it", tools=PATCH)
    (call,) = (item for item in response.output if item.type == "custom_tool_call")
    assert call.name == "apply_patch"
    tool = json.loads(last_request(provider).body)["tools"][0]
    assert (tool.get("function") or tool)["name"] == "apply_patch"


class Person(BaseModel):
    name: str


def test_structured_output_is_parsed(ada: openai.OpenAI) -> None:
    parsed = ada.responses.parse(model="over-chat", input="who?", text_format=Person)
    assert parsed.output_parsed == Person(name="example")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ("error_429", openai.RateLimitError),
        ("error_529", openai.InternalServerError),
        ("error_400", openai.BadRequestError),
        ("html_503", openai.InternalServerError),
    ],
)
def test_a_providers_error_is_the_sdks_exception(
    ada: openai.OpenAI, provider: FakeProvider, model: str, scenario: str, error: type[openai.APIStatusError]
) -> None:
    provider.default_scenario = scenario
    with pytest.raises(error):
        ada.responses.create(model=model, input="hello")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("scenario", ["text", "tools", "thinking", "parallel_tools"])
def test_a_translated_stream_keeps_its_grammar(
    translating_web: WebProcess, provider: FakeProvider, model: str, scenario: str
) -> None:
    provider.default_scenario = scenario
    body = json.dumps({"model": model, "input": "hello", "stream": True, "tools": TOOLS}).encode()
    answer = ask(translating_web, "POST", "/v1/responses", headers(), body)
    assert answer.status == 200
    assert grammar.violations(SSEDecoder().feed(answer.body)) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_a_response_is_continued_by_its_id(
    ada: openai.OpenAI, provider: FakeProvider, model: str, stream: bool
) -> None:
    if stream:
        with ada.responses.stream(model=model, input="my name is Alice") as events:
            first = events.get_final_response()
    else:
        first = ada.responses.create(model=model, input="my name is Alice")
    second = ada.responses.create(model=model, input="who am I?", previous_response_id=first.id)
    third = ada.responses.create(model=model, input="sure?", previous_response_id=second.id)
    said = [message["content"] for message in json.loads(last_request(provider).body)["messages"]]
    text = json.dumps(said)
    assert text.index("Alice") < text.index("who am I?") < text.index("sure?")
    assert len(said) == 5
    assert third.previous_response_id == second.id


def test_a_response_of_ours_is_continued_by_a_provider_that_speaks_responses(
    ada: openai.OpenAI, translating_web: WebProcess, provider: FakeProvider
) -> None:
    """It cannot know the id: it is told what was said, in the caller's own bytes for the rest."""
    first = ada.responses.create(model="over-messages", input="my name is Alice")
    second = ada.responses.create(model="own-one", input="who am I?", previous_response_id=first.id)
    asked = json.loads(last_request(provider).body)
    assert asked["previous_response_id"] is None
    assert [item["role"] for item in asked["input"]] == ["user", "assistant", "user"]
    assert all("id" not in item for item in asked["input"])
    assert "Alice" in json.dumps(asked["input"][0])
    third = ada.responses.create(model="own-one", input="sure?", previous_response_id=second.id)
    asked = json.loads(last_request(provider).body)
    assert (asked["previous_response_id"], asked["input"]) == (second.id, "sure?")
    assert third.output_text
    with (
        openai.OpenAI(base_url=translating_web.url + "/v1", api_key=GRACE, max_retries=0) as grace,
        pytest.raises(openai.BadRequestError, match="Previous response with id"),
    ):
        grace.responses.create(model="own-one", input="x", previous_response_id=first.id)


def test_a_kept_response_is_read_listed_and_deleted(ada: openai.OpenAI) -> None:
    made = ada.responses.create(model="over-chat", input=[{"role": "user", "content": "one"}])
    assert ada.responses.retrieve(made.id).model_dump() == made.model_dump()
    items = ada.responses.input_items.list(made.id)
    assert [item.content for item in items.data] == ["one"]  # type: ignore[union-attr]
    ada.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        ada.responses.retrieve(made.id)


def test_only_the_key_that_made_a_response_finds_it(ada: openai.OpenAI, translating_web: WebProcess) -> None:
    made = ada.responses.create(model="over-chat", input="secret")
    with openai.OpenAI(base_url=translating_web.url + "/v1", api_key=GRACE, max_retries=0) as grace:
        with pytest.raises(openai.NotFoundError):
            grace.responses.retrieve(made.id)
        with pytest.raises(openai.BadRequestError, match="Previous response with id"):
            grace.responses.create(model="over-chat", input="x", previous_response_id=made.id)


def test_what_is_not_to_be_stored_is_not_found(ada: openai.OpenAI) -> None:
    made = ada.responses.create(model="over-chat", input="x", store=False)
    with pytest.raises(openai.NotFoundError):
        ada.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="not found"):
        ada.responses.create(model="over-chat", input="x", previous_response_id=made.id)


def test_a_response_is_found_in_another_process_and_while_the_database_is_down(
    ada: openai.OpenAI, translating_web: WebProcess, provider: FakeProvider
) -> None:
    with ada.responses.stream(model="over-chat", input="my name is Alice") as events:
        made = events.get_final_response()
    other = WebProcess(translating_web.directory, translating_web.environment["DATABASE_URL"])
    other.environment = translating_web.environment | {
        "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    }
    other.log = translating_web.directory / "other.log"
    other.start()
    try:
        with openai.OpenAI(base_url=other.url + "/v1", api_key=ADA, max_retries=0) as client:
            assert client.responses.retrieve(made.id).output_text == made.output_text
            client.responses.create(model="over-chat", input="who am I?", previous_response_id=made.id)
    finally:
        other.stop()
    assert "Alice" in last_request(provider).body.decode()


def test_a_body_in_zstd_is_read_where_it_is_translated(translating_web: WebProcess, provider: FakeProvider) -> None:
    body = zstandard.compress(json.dumps({"model": "over-chat", "input": "packed tightly"}).encode())
    coded: Pairs = [*headers(), (b"content-encoding", b"zstd")]
    answer = ask(translating_web, "POST", "/v1/responses?packed=1", coded, body)
    assert answer.status == 200, answer.body
    seen = last_request(provider)
    assert seen.header("content-encoding") is None
    assert "packed tightly" in seen.body.decode()
    assert find(translating_web, "packed=1").body == body


def test_a_conversation_is_compacted(ada: openai.OpenAI, translating_web: WebProcess, provider: FakeProvider) -> None:
    body = json.dumps({"model": "over-messages", "input": [{"role": "user", "content": "long story"}]}).encode()
    window = json.loads(ask(translating_web, "POST", "/v1/responses/compact", headers(), body).body)
    assert window["object"] == "response.compaction"
    (item,) = window["output"]
    assert item["type"] == "compaction"
    ada.responses.create(model="over-messages", input=[item, {"role": "user", "content": "go on"}])
    assert "Summary of the conversation" in last_request(provider).body.decode()
    triggered = ada.responses.create(
        model="over-chat", input=[{"role": "user", "content": "x"}, {"type": "compaction_trigger"}]  # type: ignore[typeddict-item,typeddict-unknown-key,list-item]
    )  # fmt: skip
    assert [item.type for item in triggered.output] == ["compaction"]


def test_messages_are_answered_by_a_provider_of_responses(translating_web: WebProcess, provider: FakeProvider) -> None:
    provider.default_scenario = "thinking"
    with anthropic.Anthropic(base_url=translating_web.url, auth_token=ADA, max_retries=0) as claude:
        asked: Any = {
            "model": "claude-opus-5-5",
            "max_tokens": 2000,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "messages": [{"role": "user", "content": "think"}],
        }
        with claude.messages.stream(**asked) as stream:
            message = stream.get_final_message()
        assert last_request(provider).target == b"/v1/responses"
        assert message.content[0].type == "thinking"
        history = [
            *asked["messages"],
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": "go"},
        ]
        again = claude.messages.create(**(asked | {"messages": history}))
    assert again.content
    items = json.loads(last_request(provider).body)["input"]
    reasoning = next(item for item in items if item["type"] == "reasoning")
    assert reasoning["encrypted_content"].startswith("ZmFrZ")


def test_tokens_are_counted_for_a_provider_that_cannot(translating_web: WebProcess, provider: FakeProvider) -> None:
    with anthropic.Anthropic(base_url=translating_web.url, auth_token=ADA, max_retries=0) as claude:
        raw = claude.messages.with_raw_response.count_tokens(
            model="claude-opus-5-5", messages=[{"role": "user", "content": "tiktoken is great!"}]
        )
    assert raw.headers["x-turnlog-estimate"] == "input_tokens"
    assert raw.parse().input_tokens == 9
    assert not provider.requests
    body = json.dumps({"model": "over-messages", "input": "tiktoken is great!"}).encode()
    counted = ask(translating_web, "POST", "/v1/responses/input_tokens?counting=1", headers(), body)
    assert json.loads(counted.body) == {"object": "response.input_tokens", "input_tokens": 9}
    assert find(translating_web, "counting=1").admission.handling == "counted"
