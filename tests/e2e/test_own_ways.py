"""What a route may have done beside passing on: whole answers made from streams, and housekeeping answered here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.e2e.processes import WebProcess, last_request, last_response, running_web, until
from tests.e2e.spooled import find
from tests.e2e.test_translation import config
from tests.e2e.wire import Pairs, Wire, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"content-type", b"application/json")]
BEARER: Pairs = [(b"authorization", b"Bearer sk-proj-mine"), (b"content-type", b"application/json")]
DOCUMENT = """
providers:
  - {{name: engine, dialect: openai, address: {url}, profile: chutes, keyless: true}}
routes:
  - {{match: "claude-haiku-*", provider: engine, demote: true, position: 1}}
  - {{match: "claude-*", provider: anthropic, demote: true, shortcuts: [quota, title]}}
  - {{match: "gpt-*", provider: openai, model: gpt-5.5-mini, demote: true}}
"""
MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def switched_web(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    web = WebProcess(tmp_path_factory.mktemp("switched"), session_database_url, **upstreams)
    config(web, "apply", "-", document=DOCUMENT.format(url=provider_thread.url))
    with running_web(web.directory, session_database_url, **upstreams) as process:
        yield process
    config(web, "apply", "-", "--prune", "--yes", document="providers: []\nroutes: []\n")


@pytest.fixture(autouse=True)
def ordinary(provider_thread: FakeProvider) -> Iterator[None]:
    yield
    provider_thread.default_scenario = "text"


def message(web: WebProcess, mark: str = "", **fields: Any) -> Any:
    body = json.dumps({"model": "claude-opus-4-5", "max_tokens": 64, "messages": MESSAGES, **fields}).encode()
    return ask(web, "POST", f"/v1/messages?{mark}", HEADERS, body)


def test_a_whole_answer_is_made_of_a_stream_and_the_record_keeps_the_stream(
    switched_web: WebProcess, provider: FakeProvider
) -> None:
    provider.default_scenario = "tools"
    answer = message(switched_web, "demoted=1")
    assert answer.status == 200
    assert answer.header(b"content-type") == b"application/json"
    assert answer.header(b"cache-control") is None
    seen, sent = last_request(provider), last_response(provider)
    assert seen.body.startswith(b'{"stream":true,"model": "claude-opus-4-5"')
    assert sent.body.startswith(b"event: message_start")
    body = json.loads(answer.body)
    assert (body["type"], body["stop_reason"]) == ("message", "tool_use")
    exchange = find(switched_web, "demoted=1")
    assert exchange.admission.handling == "demoted"
    assert exchange.response == sent.body
    assert [(patch.start, patch.text) for patch in exchange.patches] == [(1, b'"stream":true,')]
    assert {name for name, _ in sent.headers if name.lower().startswith(b"anthropic-ratelimit")} <= {
        name for name, _ in answer.headers
    }


def test_the_sdk_gets_its_message(switched_web: WebProcess) -> None:
    with anthropic.Anthropic(base_url=switched_web.url, api_key="sk-ant-mine", max_retries=0) as claude:
        made = claude.messages.create(model="claude-opus-4-5", max_tokens=64, messages=MESSAGES)
    assert made.content[0].type == "text"
    assert made.usage.output_tokens > 0


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_the_model_and_the_stream_are_changed_together(
    switched_web: WebProcess, provider: FakeProvider, path: str
) -> None:
    body = b'{"model":"gpt-5.5","stream":false,"messages":[{"role":"user","content":"hi"}],"input":"hi"}'
    answer = ask(switched_web, "POST", path, BEARER, body)
    seen = last_request(provider)
    # Chat Completions says in a stream only to whom it was promised how many tokens there were.
    wish = b'true,"stream_options":{"include_usage":true}' if path == "/v1/chat/completions" else b"true"
    assert seen.body == body.replace(b'"gpt-5.5"', b'"gpt-5.5-mini"').replace(b"false", wish)
    assert json.loads(answer.body)["object"] in ("chat.completion", "response")


def test_a_stream_is_left_a_stream(switched_web: WebProcess, provider: FakeProvider) -> None:
    answer = message(switched_web, stream=True)
    assert answer.body == last_response(provider).body


def test_a_translated_answer_is_made_of_a_stream_too(switched_web: WebProcess, provider: FakeProvider) -> None:
    answer = message(switched_web, "abroad=1", model="claude-haiku-4-5")
    assert json.loads(answer.body)["type"] == "message"
    assert json.loads(last_request(provider).body)["stream"] is True
    exchange = find(switched_web, "abroad=1")
    assert exchange.admission.handling == "demoted"
    assert exchange.response.startswith(b"data: ")


@pytest.mark.parametrize(
    ("scenario", "status", "kind"),
    [
        ("error_429", 429, "rate_limit_error"),
        ("error_event;after_events=3", 529, "overloaded_error"),
        ("cut_clean_close;after_events=3", 502, "api_error"),
        ("cut_rst;after_events=3", 502, "api_error"),
    ],
)
def test_a_failure_has_the_status_it_would_have_had(
    switched_web: WebProcess, provider: FakeProvider, scenario: str, status: int, kind: str
) -> None:
    provider.default_scenario = scenario
    answer = message(switched_web)
    assert answer.status == status, answer.body
    assert json.loads(answer.body)["error"]["type"] == kind


def test_a_client_that_leaves_ends_the_call(switched_web: WebProcess, provider: FakeProvider) -> None:
    provider.default_scenario = "silence;after_events=2"
    body = json.dumps({"model": "claude-opus-4-5", "max_tokens": 64, "messages": MESSAGES}).encode()
    with Wire(switched_web) as wire:
        wire.request("POST", b"/v1/messages", HEADERS, body)
        last_request(provider)
    until(lambda: provider.requests[-1].aborted, what="the end of the provider's call")


@pytest.mark.parametrize("stream", [False, True])
def test_a_housekeeping_call_is_answered_here_as_it_was_asked(
    switched_web: WebProcess, provider: FakeProvider, stream: bool
) -> None:
    question: Any = [{"role": "user", "content": "Please write a 5-10 word title for: hello"}]
    answer = message(switched_web, f"title={stream}", messages=question, stream=stream)
    assert answer.status == 200
    assert not provider.requests
    if stream:
        assert answer.body.startswith(b"event: message_start")
        assert b"Conversation" in answer.body
    else:
        assert json.loads(answer.body)["content"] == [{"type": "text", "text": "Conversation"}]
    exchange = find(switched_web, f"title={stream}")
    assert exchange.admission.handling == "synthetic: title"
    assert exchange.response == answer.body


def test_a_short_cut_the_route_does_not_name_is_not_taken(switched_web: WebProcess, provider: FakeProvider) -> None:
    assert message(switched_web, messages=[{"role": "user", "content": "[SUGGESTION MODE: x]"}]).status == 200
    assert last_request(provider).target.startswith(b"/v1/messages")
