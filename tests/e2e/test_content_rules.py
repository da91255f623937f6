"""A message that a content rule does not let out is refused before its provider hears of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.configured import apply_and_wait
from tests.e2e.processes import WebProcess, running_web
from tests.e2e.wire import Answer, ask
from tests.upstream import FakeProvider

KEYS = {name: f"key-of-{name}-0123456789" for name in ("ada", "grace")}
SECRET = "sk-ant-api03-" + "Ab3" * 10
DOCUMENT = """
providers: [{{name: fake, dialect: anthropic, address: "{url}", keyless: true}},
            {{name: engine, dialect: openai, address: "{url}", keyless: true}}]
routes: [{{match: "gpt-*", provider: engine}}, {{match: "*", provider: fake}}]
api_keys:
  - {{name: ada, key_env: ADA}}
  - {{name: grace, key_env: GRACE}}
content_rules:
  - {{name: keys, detector: secrets, action: refuse, keys: [ada]}}
  - {{name: chimera, detector: patterns, patterns: ["(?i)chimera"], action: refuse, keys: [ada], message: Ask Eve.}}
  - {{name: only-watched, detector: patterns, patterns: [weather], action: alert}}
"""


@pytest.fixture(scope="module")
def watched(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    environment = upstreams | {name.upper(): key for name, key in KEYS.items()}
    with running_web(tmp_path_factory.mktemp("watched"), session_database_url, **environment) as web:
        apply_and_wait(web, DOCUMENT.format(url=provider_thread.url))
        yield web
        apply_and_wait(web, "providers: []\nroutes: []\napi_keys: []\ncontent_rules: []\n")


def say(web: WebProcess, key: str, *texts: str, path: str = "/v1/messages", **more: Any) -> Answer:
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    body = {"model": "claude-x", "max_tokens": 16, "messages": messages, **more}
    return ask(web, "POST", path, [(b"x-api-key", KEYS[key].encode())], json.dumps(body).encode())


def test_what_a_rule_looks_for_is_not_sent_on(watched: WebProcess, provider: FakeProvider) -> None:
    refused = say(watched, "ada", f"use {SECRET} please")
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith("The content rule keys does not let this message go to a provider")
    assert SECRET not in refused.body.decode()
    chat = say(watched, "ada", "the chimera", path="/v1/chat/completions", model="gpt-5.5")
    error = json.loads(chat.body)["error"]
    assert (chat.status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].endswith("Ask Eve.")
    assert not provider.requests


def test_a_coded_body_is_looked_into(watched: WebProcess, provider: FakeProvider) -> None:
    body = json.dumps({"model": "claude-x", "messages": [{"role": "user", "content": "Chimera"}]}).encode()
    headers = [(b"x-api-key", KEYS["ada"].encode()), (b"content-encoding", b"gzip")]
    assert ask(watched, "POST", "/v1/messages", headers, gzip.compress(body)).status == 400
    assert not provider.requests


def test_what_was_said_before_and_what_others_say_goes_on(watched: WebProcess, provider: FakeProvider) -> None:
    assert say(watched, "ada", f"use {SECRET}", "no", "then go on").status == 200
    assert say(watched, "ada", "how is the weather").status == 200
    assert say(watched, "grace", f"use {SECRET} for chimera").status == 200
    assert len(provider.requests) == 3


def test_an_odd_body_is_relayed_all_the_same(watched: WebProcess, provider: FakeProvider) -> None:
    headers = [(b"x-api-key", KEYS["ada"].encode())]
    for body in (b'{"model": "claude-x", "messages": []}', b'{"model": "claude-x", "x": "chimera"}'):
        assert ask(watched, "POST", "/v1/messages", headers, body).status == 200
    assert len(provider.requests) == 2
