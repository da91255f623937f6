"""Answers given again by a running gateway: to the same caller for the same bytes, and to nobody else."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.configured import apply_and_wait, manage
from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Answer, Pairs, Wire, ask
from tests.upstream import FakeProvider

KEYS = {name: f"key-of-{name}-0123456789" for name in ("ada", "grace")}
DOCUMENT = """
providers: [{{name: fake, dialect: anthropic, address: "{url}", keyless: true}}]
routes: [{{match: "*", provider: fake}}]
api_keys:
  - {{name: ada, key_env: ADA}}
  - {{name: grace, key_env: GRACE}}
cache_rules:
  - {{name: exact, models: ["claude-*"], max_answer_bytes: 20000, position: 2}}
  - {{name: loose, models: [loose], ignore_fields: [metadata], vary_headers: [x-suite], position: 1}}
  - {{name: together, models: [together], store: nowhere, join: true}}
  - {{name: short, models: [short], ttl_seconds: 0.5}}
budgets:
  - {{name: sum, scope: key, names: [ada], tokens: 100000000}}
"""


@pytest.fixture(scope="module")
def caching(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    environment = upstreams | {name.upper(): key for name, key in KEYS.items()}
    with running_web(tmp_path_factory.mktemp("caching"), session_database_url, **environment) as web:
        apply_and_wait(web, DOCUMENT.format(url=provider_thread.url))
        yield web
        empty = "providers: []\nroutes: []\napi_keys: []\ncache_rules: []\nbudgets: []\n"
        apply_and_wait(web, empty)


def message(model: str = "claude-x", **more: object) -> bytes:
    asked = {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}], **more}
    return json.dumps(asked).encode()


def headers(key: str, *more: tuple[bytes, bytes]) -> Pairs:
    return [(b"x-api-key", KEYS[key].encode()), (b"anthropic-version", b"2023-06-01"), *more]


def say(web: WebProcess, key: str, body: bytes, *more: tuple[bytes, bytes]) -> Answer:
    return ask(web, "POST", "/v1/messages", headers(key, *more), body)


def how(answer: Answer) -> bytes | None:
    return answer.header(b"x-turnlog-cache")


def fresh() -> str:
    """A text nobody has sent yet."""
    return uuid.uuid4().hex


def test_the_same_bytes_of_the_same_caller_are_answered_again(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(metadata={"user_id": fresh()})
    first, second = say(caching, "ada", body), say(caching, "ada", body)
    assert (first.status, how(first), second.status, how(second)) == (200, None, 200, b"hit")
    assert second.body == first.body
    assert second.header(b"request-id") == first.header(b"request-id")
    assert second.header(b"content-type") == first.header(b"content-type")
    assert second.header(b"set-cookie") is None
    assert (second.header(b"age") or b"").isdigit()
    assert len(provider.requests) == 1


def test_another_caller_or_another_byte_gets_an_answer_of_its_own(caching: WebProcess, provider: FakeProvider) -> None:
    mark = fresh()
    body = message(metadata={"user_id": mark})
    say(caching, "ada", body)
    others = [
        say(caching, "grace", body),
        say(caching, "ada", body.replace(b'"hi"', b'"Hi"')),
        say(caching, "ada", body.replace(b'"hi"', b'" hi"')),
        say(caching, "ada", body + b" "),
        say(caching, "ada", body, (b"anthropic-beta", b"one-2026-01-01")),
        ask(caching, "POST", "/v1/messages?beta=true", headers("ada"), body),
    ]
    assert [how(answer) for answer in others] == [None] * 6
    assert len(provider.requests) == 7
    assert how(say(caching, "grace", body)) == b"hit"


def test_a_stream_is_given_again_as_the_stream_it_was(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(stream=True, metadata={"user_id": fresh()})
    first, second = say(caching, "ada", body), say(caching, "ada", body)
    assert second.body == first.body
    assert second.header(b"content-type") == first.header(b"content-type")
    assert (how(second), second.whole, second.header(b"content-length")) == (b"hit", True, None)
    assert b"message_stop" in second.body
    assert len(provider.requests) == 1


@pytest.mark.parametrize("scenario", [b"error_500", b"error_529", b"cut_fin;events=4"])
def test_what_did_not_come_whole_is_not_kept(caching: WebProcess, provider: FakeProvider, scenario: bytes) -> None:
    body = message(stream=True, metadata={"user_id": fresh()})
    say(caching, "ada", body, (b"x-scenario", scenario))
    again = say(caching, "ada", body)
    assert (again.status, how(again)) == (200, None)


def test_an_answer_that_is_too_large_is_not_kept(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(metadata={"user_id": fresh()})
    large = (b"x-scenario", b"slow;ms=0;text=" + b"word%20" * 4000)
    assert len(say(caching, "ada", body, large).body) > 20_000
    assert how(say(caching, "ada", body, large)) is None


def test_a_request_may_go_past_what_is_kept(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(metadata={"user_id": fresh()})
    say(caching, "ada", body)
    assert how(say(caching, "ada", body, (b"x-turnlog-cache", b"bypass"))) is None
    assert how(say(caching, "ada", body, (b"x-turnlog-cache", b"refresh"))) is None
    assert how(say(caching, "ada", body)) == b"hit"
    assert len(provider.requests) == 3
    assert not any(name.lower() == b"x-turnlog-cache" for seen in provider.requests for name, _ in seen.headers)


def test_what_a_rule_ignores_and_varies_by(caching: WebProcess, provider: FakeProvider) -> None:
    text = fresh()
    one = message("loose", system=text, metadata={"user_id": "one"})
    two = message("loose", system=text, metadata={"user_id": "two"})
    say(caching, "ada", one)
    assert how(say(caching, "ada", two)) == b"hit"
    assert how(say(caching, "ada", two, (b"x-suite", b"b"))) is None
    assert how(say(caching, "grace", two)) is None


def test_an_answer_grows_old(caching: WebProcess, provider: FakeProvider) -> None:
    body = message("short", system=fresh())
    say(caching, "ada", body)
    assert until(lambda: how(say(caching, "ada", body)) is None, 60, "its end")


def test_a_hit_is_recorded_as_one_and_counted_by_no_budget(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(metadata={"user_id": fresh()})
    mark = fresh().encode()
    target = "/v1/messages?mark=" + mark.decode()
    ask(caching, "POST", target, headers("ada"), body)
    before = until(lambda: spent(caching), 60, "the first's settling")
    answer = ask(caching, "POST", target, headers("ada"), body)
    assert how(answer) == b"hit"
    assert spent(caching) == before
    exchange = find(caching, mark.decode(), 2)
    assert exchange.admission.handling == "cached: exact"
    assert exchange.end.attempts == []


def spent(web: WebProcess) -> float:
    answer = ask(web, "GET", "/api/oauth/usage", headers("ada"))
    return float(json.loads(answer.body)["budgets"][0]["used"])


def test_the_holder_of_a_key_clears_its_own_by_web_hook(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(metadata={"user_id": fresh()})
    for key in ("ada", "grace"):
        say(caching, key, body)
        assert how(say(caching, key, body)) == b"hit"
    cleared = ask(caching, "POST", "/api/cache/clear", headers("ada"), b'{"model": "claude-*"}')
    assert (cleared.status, json.loads(cleared.body)) == (200, {"cleared": {"model": "claude-*", "key": "ada"}})
    until(lambda: how(say(caching, "ada", body, (b"x-probe", fresh().encode()))) is None, 3, "the clearing")
    assert how(say(caching, "grace", body)) == b"hit"
    assert ask(caching, "POST", "/api/cache/clear").status == 401
    assert ask(caching, "POST", "/api/cache/clear", headers("ada"), b"[]").status == 400


def test_a_command_clears_for_everybody(caching: WebProcess, provider: FakeProvider) -> None:
    body = message(metadata={"user_id": fresh()})
    say(caching, "grace", body)
    assert how(say(caching, "grace", body)) == b"hit"
    manage(caching, "cache", "clear", "--model", "claude-*")
    assert until(lambda: how(say(caching, "grace", body)) is None, 3, "the clearing")


def test_the_same_request_under_way_is_joined(caching: WebProcess, provider: FakeProvider) -> None:
    body = message("together", stream=True, system=fresh())
    answers: list[Answer] = []
    with Wire(caching) as wire:
        wire.request("POST", b"/v1/messages", headers("ada", (b"x-scenario", b"slow;ms=60")), body)
        until(lambda: wire.fill() and b" 200 " in wire.buffer[:20], 60, "the beginning of the first")
        threads = [threading.Thread(target=lambda: answers.append(say(caching, "ada", body))) for _ in range(3)]
        for thread in threads:
            thread.start()
        other = say(caching, "grace", body)
        first = wire.answer()
        for thread in threads:
            thread.join(10)
    assert [how(answer) for answer in answers] == [b"joined"] * 3
    assert {answer.body for answer in answers} == {first.body}
    assert how(other) is None
    assert len(provider.requests) == 2
    assert how(say(caching, "ada", body)) is None
