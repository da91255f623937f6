"""The real SDKs through the gateway, in open and in keyed mode: they get what they get without it."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.conftest import ADA_KEY
from tests.e2e.processes import WebProcess, last_request, until
from tests.upstream import FakeProvider

TOOLS: list[Any] = [
    {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
]
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
MODES = ["direct", "open", "keyed"]


@pytest.fixture
def addresses(web: WebProcess, keyed_web: WebProcess, provider: FakeProvider) -> dict[str, tuple[str, str]]:
    """(address, key) by mode; `direct` is the provider itself, what the others are compared with."""
    return {"direct": (provider.url, "sk-ant-x"), "open": (web.url, "sk-ant-x"), "keyed": (keyed_web.url, ADA_KEY)}


def scenario(name: str) -> dict[str, str]:
    return {"x-scenario": name}


def claude(address: tuple[str, str]) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=address[0], api_key=address[1], max_retries=0)


def gpt(address: tuple[str, str]) -> openai.OpenAI:
    key = "sk-proj-x" if address[1].startswith("sk-ant") else address[1]
    return openai.OpenAI(base_url=address[0] + "/v1", api_key=key, max_retries=0)


def plain(value: Any) -> Any:
    """What an answer says, without what differs from one to the next."""
    if isinstance(value, dict):
        changing = ("id", "created", "created_at", "completed_at", "request_id", "_request_id", "item_id", "call_id")
        return {key: plain(item) for key, item in value.items() if key not in changing}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def messages_answer(client: anthropic.Anthropic, content: str, stream: bool) -> Any:
    asked: dict[str, Any] = {"model": "claude-opus-4-5", "max_tokens": 100, "messages": MESSAGES, "tools": TOOLS}
    if not stream:
        return plain(client.messages.create(**asked, extra_headers=scenario(content)).model_dump())
    with client.messages.stream(**asked, extra_headers=scenario(content)) as events:
        return plain(events.get_final_message().model_dump())


def chat_answer(client: openai.OpenAI, content: str, stream: bool) -> Any:
    asked: dict[str, Any] = {"model": "gpt-5", "messages": MESSAGES, "extra_headers": scenario(content)}
    if not stream:
        return plain(client.chat.completions.create(**asked).model_dump())
    with client.chat.completions.create(**asked, stream=True) as chunks:
        return [plain(chunk.model_dump()) for chunk in chunks]


def responses_answer(client: openai.OpenAI, content: str, stream: bool) -> Any:
    asked: dict[str, Any] = {"model": "gpt-5", "input": "hello", "extra_headers": scenario(content)}
    if not stream:
        return plain(client.responses.create(**asked).model_dump())
    with client.responses.create(**asked, stream=True) as events:
        return [plain(event.model_dump()) for event in events]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("content", ["text", "tools", "thinking", "parallel_tools"])
def test_anthropic_messages(addresses: dict[str, tuple[str, str]], content: str, stream: bool) -> None:
    answers = []
    for mode in MODES:
        with claude(addresses[mode]) as client:
            answers.append(messages_answer(client, content, stream))
    assert answers[0]["content"]
    assert answers[1] == answers[0]
    assert answers[2] == answers[0]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("content", ["text", "tools"])
@pytest.mark.parametrize("ask", [chat_answer, responses_answer], ids=["chat", "responses"])
def test_openai(addresses: dict[str, tuple[str, str]], ask: Any, content: str, stream: bool) -> None:
    answers = []
    for mode in MODES:
        with gpt(addresses[mode]) as client:
            answers.append(ask(client, content, stream))
    assert answers[0]
    assert answers[1] == answers[0]
    assert answers[2] == answers[0]


ERRORS = [
    ("error_400", anthropic.BadRequestError, openai.BadRequestError),
    ("error_401", anthropic.AuthenticationError, openai.AuthenticationError),
    ("error_404", anthropic.NotFoundError, openai.NotFoundError),
    ("error_429;retry_after=3", anthropic.RateLimitError, openai.RateLimitError),
    ("error_500", anthropic.InternalServerError, openai.InternalServerError),
    ("error_529", anthropic.InternalServerError, openai.InternalServerError),
]


@pytest.mark.parametrize(("name", "claude_error", "gpt_error"), ERRORS)
def test_errors_are_the_same_exceptions(
    addresses: dict[str, tuple[str, str]], name: str, claude_error: Any, gpt_error: Any
) -> None:
    for mode in ("open", "keyed"):
        with claude(addresses[mode]) as client, pytest.raises(claude_error) as caught:
            messages_answer(client, name, False)
        assert caught.value.request_id
        assert caught.value.response.headers.get("retry-after") == ("3" if "429" in name else None)
        with gpt(addresses[mode]) as other, pytest.raises(gpt_error):
            chat_answer(other, name, False)


def test_an_error_event_in_a_stream_is_an_exception(addresses: dict[str, tuple[str, str]]) -> None:
    for mode in ("open", "keyed"):
        with claude(addresses[mode]) as client, pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            messages_answer(client, "error_event", True)


def test_our_own_refusals_are_typed_and_not_retried(
    addresses: dict[str, tuple[str, str]], provider: FakeProvider, keyed_web: WebProcess
) -> None:
    with (
        anthropic.Anthropic(base_url=keyed_web.url, api_key="sk-ant-own", max_retries=5) as client,
        pytest.raises(anthropic.AuthenticationError, match="Turnlog key"),
    ):
        messages_answer(client, "text", False)
    with (
        openai.OpenAI(base_url=keyed_web.url + "/v1", api_key="sk-own", max_retries=5) as other,
        pytest.raises(openai.AuthenticationError, match="Turnlog key"),
    ):
        chat_answer(other, "text", False)
    assert not provider.requests


def test_counting_and_listing(addresses: dict[str, tuple[str, str]], provider: FakeProvider) -> None:
    for mode in ("open", "keyed"):
        with claude(addresses[mode]) as client:
            assert client.messages.count_tokens(model="claude-x", messages=MESSAGES).input_tokens > 0
            assert client.models.list().data
        with gpt(addresses[mode]) as other:
            assert other.models.list().data
            seen = last_request(provider)
            assert seen.header("authorization") is not None
            assert seen.header("x-api-key") is None


def test_closing_a_stream_early_ends_it_at_the_provider(
    addresses: dict[str, tuple[str, str]], provider: FakeProvider
) -> None:
    with claude(addresses["keyed"]) as client:
        asked: dict[str, Any] = {"model": "claude-x", "max_tokens": 9, "messages": MESSAGES, "stream": True}
        with client.messages.create(**asked, extra_headers=scenario("slow;ms=100;events=500")) as events:
            next(iter(events))
        seen = provider.requests[-1]
        until(lambda: seen.aborted, 2, "the end at the provider")
