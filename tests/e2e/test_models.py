"""`/v1/models` of a running gateway: merged from several providers, in both shapes, at once; relayed where one can be
meant."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.conftest import ADA_KEY, ANTHROPIC_KEY, OPENAI_KEY
from tests.e2e.processes import ProviderThread, WebProcess, running_web, until
from tests.e2e.test_configuration_change import config
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider
from tests.upstream.answers import Answer, error_answer
from tests.upstream.exchange import Exchange

LOCAL = [
    {"id": "Qwen/Qwen3-Coder", "object": "model", "created": 9, "owned_by": "local", "max_model_len": 32768},
    {"id": "kimi-k2.5", "object": "model", "created": 9, "owned_by": "local", "big": 12345678901234567890},
]
DOCUMENT = """
providers:
  - {{name: local, dialect: openai, address: "{url}", keyless: true}}
routes:
  - {{match: fast, provider: local, model: kimi-k2.5}}
  - {{match: "claude-3*", provider: anthropic}}
  - {{match: "kimi*", provider: local}}
api_keys:
  - {{name: narrow, key_env: NARROW_KEY, allowed_models: ["kimi*", "gpt-*"], allowed_providers: [local]}}
"""
NARROW = "tl_narrow-and-its-key-0123456789"
KEYED: Pairs = [(b"authorization", b"Bearer " + ADA_KEY.encode())]
CLAUDE: Pairs = [*KEYED, (b"anthropic-version", b"2023-06-01")]


async def listing(exchange: Exchange) -> None:
    if exchange.request.method == "POST":
        if json.loads(exchange.request.body)["model"] not in [model["id"] for model in LOCAL]:
            await exchange.answer_whole(error_answer(exchange.asked, 404, "The model does not exist."))
        else:
            await exchange.answer_whole(exchange.answer)
        return
    body = json.dumps({"object": "list", "data": LOCAL}).encode()
    await exchange.answer_whole(Answer(200, [(b"Content-Type", b"application/json")], body))


@pytest.fixture(scope="module")
def local() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        provider.script("listing", listing)
        provider.default_scenario = "listing"
        yield provider


@pytest.fixture(scope="module")
def listing_web(
    local: FakeProvider,
    session_database_url: str,
    upstreams: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    directory = tmp_path_factory.mktemp("listing")
    keys = directory / "keys"
    keys.write_text(f"ada={ADA_KEY}\n")
    environment = upstreams | {
        "NARROW_KEY": NARROW,
        "TURNLOG_ACCESS_KEYS_FILE": str(keys),
        "TURNLOG_ANTHROPIC_KEY": ANTHROPIC_KEY,
        "TURNLOG_OPENAI_KEY": OPENAI_KEY,
        "TURNLOG_MODEL_REFRESH": "0.5",
    }
    with running_web(directory, session_database_url, **environment) as web:
        config(web, DOCUMENT.format(url=local.url))
        until(lambda: len(names(web, KEYED)) == 8, what="the models of three providers and a route")
        yield web
        config(web, "providers: []\nroutes: []\napi_keys: []\n", "--prune", "--yes")


def names(web: WebProcess, headers: Pairs, query: str = "") -> list[str]:
    answer = ask(web, "GET", "/v1/models" + query, headers)
    assert answer.status == 200, answer.body
    return [model["id"] for model in json.loads(answer.body)["data"]]


def test_an_openai_caller_gets_all_models_with_its_own_first(listing_web: WebProcess) -> None:
    body = json.loads(ask(listing_web, "GET", "/v1/models", KEYED).body)
    assert body["object"] == "list"
    found = [model["id"] for model in body["data"]]
    assert found[0] == "fast"
    assert set(found[1:5]) == {"Qwen/Qwen3-Coder", "kimi-k2.5", "gpt-5.5", "gpt-5.5-mini"}
    assert found[5:] == ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]
    assert next(model for model in body["data"] if model["id"] == "kimi-k2.5") == LOCAL[1]


def test_an_anthropic_caller_gets_pages_in_its_shape(listing_web: WebProcess) -> None:
    first = json.loads(ask(listing_web, "GET", "/v1/models?limit=3", CLAUDE).body)
    assert (len(first["data"]), first["has_more"]) == (3, True)
    rest = json.loads(ask(listing_web, "GET", f"/v1/models?limit=1000&after_id={first['last_id']}", CLAUDE).body)
    assert (len(rest["data"]), rest["has_more"]) == (5, False)
    assert all(model["type"] == "model" and model["display_name"] for model in first["data"] + rest["data"])


def test_claude_code_is_shown_every_model_under_a_name_it_shows(listing_web: WebProcess) -> None:
    agent: Pairs = [*CLAUDE, (b"user-agent", b"claude-code/2.1.329")]
    found = names(listing_web, agent, "?limit=1000")
    assert len(found) == 8
    assert all("claude" in name or "anthropic" in name for name in found)
    assert "anthropic/Qwen/Qwen3-Coder" in found


def test_a_model_is_found_by_its_id_whatever_its_case_and_slashes(listing_web: WebProcess) -> None:
    answer = ask(listing_web, "GET", "/v1/models/qwen/qwen3-coder", KEYED)
    assert json.loads(answer.body) == LOCAL[0]
    found = json.loads(ask(listing_web, "GET", "/v1/models/fast", CLAUDE).body)
    assert (found["id"], found["type"]) == ("fast", "model")


@pytest.mark.parametrize("headers", [KEYED, CLAUDE])
def test_an_unknown_model_is_a_404_that_names_the_nearest(listing_web: WebProcess, headers: Pairs) -> None:
    answer = ask(listing_web, "GET", "/v1/models/kimi-k2", headers)
    error: dict[str, Any] = json.loads(answer.body)["error"]
    assert answer.status == 404
    assert "kimi-k2.5" in error["message"]
    assert error["type"] == ("not_found_error" if headers is CLAUDE else "invalid_request_error")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?limit=1001"])
def test_a_wrong_limit_is_refused(listing_web: WebProcess, query: str) -> None:
    assert ask(listing_web, "GET", "/v1/models" + query, CLAUDE).status == 400


def test_each_provider_was_asked_with_its_own_credential(
    listing_web: WebProcess, provider: FakeProvider, local: FakeProvider
) -> None:
    until(lambda: len(provider.requests) >= 2, what="both defaults being asked again")
    keys = {request.header("x-api-key") or request.header("authorization") for request in list(provider.requests)}
    assert keys == {ANTHROPIC_KEY.encode(), b"Bearer " + OPENAI_KEY.encode()}
    assert all(request.header("authorization") is None for request in list(local.requests))


def test_a_key_with_a_scope_sees_what_is_in_it(listing_web: WebProcess) -> None:
    assert names(listing_web, [(b"authorization", b"Bearer " + NARROW.encode())]) == ["kimi-k2.5"]


def test_the_list_comes_from_memory(listing_web: WebProcess) -> None:
    taken = []
    for _ in range(20):
        began = time.monotonic()
        names(listing_web, CLAUDE, "?limit=1000")
        taken.append(time.monotonic() - began)
    assert sorted(taken)[10] < 0.05


def message(web: WebProcess, model: str) -> Any:
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    pairs: Pairs = [*CLAUDE, (b"content-type", b"application/json")]
    return ask(web, "POST", "/v1/messages", pairs, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("FAST", "kimi-k2.5"),
        ("kimi-K2.5", "kimi-k2.5"),
        ("qwen/qwen3-coder", "Qwen/Qwen3-Coder"),
        ("anthropic/Qwen/Qwen3-Coder", "Qwen/Qwen3-Coder"),
    ],
)
def test_a_name_is_understood_whatever_its_case_and_where_its_model_is_offered(
    listing_web: WebProcess, local: FakeProvider, model: str, asked: str
) -> None:
    assert message(listing_web, model).status == 200
    posted = [request for request in list(local.requests) if request.method == "POST"]
    assert json.loads(posted[-1].body)["model"] == asked


def test_a_model_a_foreign_provider_does_not_know_is_a_404_that_names_the_nearest(listing_web: WebProcess) -> None:
    answer = message(listing_web, "kimi-k3")
    assert answer.status == 404
    error = json.loads(answer.body)["error"]
    assert error["type"] == "not_found_error"
    assert "kimi-k2.5" in error["message"]


def test_the_health_says_how_many_there_are(listing_web: WebProcess) -> None:
    assert json.loads(ask(listing_web, "GET", "/health", []).body)["models_cached"] == 7


def test_a_key_is_needed(listing_web: WebProcess) -> None:
    assert ask(listing_web, "GET", "/v1/models", []).status == 401


def test_the_sdks_read_the_lists(listing_web: WebProcess) -> None:
    claude = anthropic.Anthropic(base_url=listing_web.url, auth_token=ADA_KEY)
    assert len([model.id for model in claude.models.list(limit=2)]) == 8
    assert claude.models.retrieve("FAST").id == "fast"
    gpt = openai.OpenAI(base_url=listing_web.url + "/v1", api_key=ADA_KEY)
    assert len(list(gpt.models.list())) == 8
    with pytest.raises(openai.NotFoundError, match=r"kimi-k2\.5"):
        gpt.models.retrieve("kimi-k2")
