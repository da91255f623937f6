"""Header rules in a running gateway: on the wire, in the record, in shadow, and without a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.configured import apply, apply_and_wait, manage
from tests.e2e.processes import ProviderThread, WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Answer, Pairs, ask
from tests.upstream import FakeProvider

DOCUMENT = """
providers:
  - {{name: first, dialect: anthropic, address: "{first}", extra_headers: {{x-scenario: error_529}}, keyless: true,
     breaker_mode: "off"}}
  - {{name: second, dialect: anthropic, address: "{second}", keyless: true}}
routes:
  - {{match: fall, provider: first, targets: [{{provider: second}}]}}
header_rules:
  - {{name: team, header: X-Team, action: set, value: search, state: {state}}}
  - {{name: cli, header: user-agent, action: replace, find: "([a-z]+)/[0-9.]+", value: '\\1', is_pattern: true,
     state: {state}}}
  - {{name: betas, header: anthropic-beta, action: block, models: ["no-*"], state: {state}}}
  - {{name: server, direction: response, header: server, action: block, state: {state}}}
  - {{name: of-second, header: x-only, action: set, value: second, providers: [second], state: {state}}}
  - {{name: shade, header: x-app, action: block, state: shadow}}
"""
NAMES = ("team", "cli", "betas", "server", "of-second")
NAMED = (b"x-team", b"user-agent", b"x-app")
CLIENT: Pairs = [(b"x-team", b"a"), (b"X-Team", b"b"), (b"user-agent", b"claude-cli/2.1.329"), (b"x-app", b"cli")]


@pytest.fixture(scope="module")
def second() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        yield provider


@pytest.fixture(scope="module")
def ruled(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    second: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    with running_web(tmp_path_factory.mktemp("ruled"), session_database_url, **upstreams) as web:
        addresses = {"first": provider_thread.url, "second": second.url}
        apply(web, DOCUMENT.format(**addresses, state="draft"))
        manage(web, "headerrules", "dry-run", *NAMES)
        apply_and_wait(web, DOCUMENT.format(**addresses, state="live"))
        yield web
        apply_and_wait(web, "providers: []\nroutes: []\nheader_rules: []\n")


def say(web: WebProcess, model: str, mark: str, extra: Pairs = []) -> Answer:  # noqa: B006
    body = json.dumps({"model": model, "max_tokens": 5, "messages": []}).encode()
    return ask(web, "POST", f"/v1/messages?mark={mark}", [*CLIENT, *extra], body)


def test_the_provider_gets_what_the_rules_make_of_the_headers(ruled: WebProcess, provider: FakeProvider) -> None:
    answer = say(ruled, "plain", "rules-plain", [(b"anthropic-beta", b"effort-2025-11-24")])
    assert answer.status == 200
    [request] = provider.requests
    named = [(name, value) for name, value in request.headers if name.lower() in NAMED]
    assert named == [(b"x-team", b"search"), (b"user-agent", b"claude-cli"), (b"x-app", b"cli")]
    assert request.header("anthropic-beta") == b"effort-2025-11-24"
    assert request.header("x-only") is None


def test_the_record_keeps_before_and_after_and_which_rules_fired(ruled: WebProcess, provider: FakeProvider) -> None:
    say(ruled, "plain", "rules-record")
    exchange = find(ruled, "mark=rules-record")
    assert (b"x-team", b"a") in exchange.admission.headers
    assert exchange.rules is not None
    there = exchange.rules.request
    assert there is not None
    assert [name for _, name in there.fired] == ["team", "cli"]
    changes = {change.name: (change.before, change.after) for change in there.changes}
    assert changes == {
        b"x-team": ([b"a", b"b"], [b"search"]),
        b"user-agent": ([b"claude-cli/2.1.329"], [b"claude-cli"]),
    }
    assert [name for _, name in there.shadow] == ["shade"]
    assert {change.name for change in there.would} == {b"x-team", b"user-agent", b"x-app"}


def test_a_rule_of_a_model_acts_for_that_model(ruled: WebProcess, provider: FakeProvider) -> None:
    say(ruled, "no-betas", "rules-model", [(b"anthropic-beta", b"effort-2025-11-24")])
    [request] = provider.requests
    assert request.header("anthropic-beta") is None


def test_a_rule_of_a_provider_acts_for_the_try_that_reaches_it(
    ruled: WebProcess, provider: FakeProvider, second: FakeProvider
) -> None:
    second.requests.clear()
    assert say(ruled, "fall", "rules-fall").status == 200
    assert [request.header("x-only") for request in provider.requests] == [None]
    assert [request.header("x-only") for request in second.requests] == [b"second"]
    exchange = find(ruled, "mark=rules-fall")
    assert exchange.rules is not None
    assert exchange.rules.request is not None
    assert [name for _, name in exchange.rules.request.fired] == ["team", "cli", "of-second"]


def test_rules_of_the_answer_act_on_the_way_back(ruled: WebProcess, provider: FakeProvider) -> None:
    direct = [name for name, _ in say(ruled, "plain", "rules-back").pairs]
    assert b"server" not in direct
    assert b"content-type" in direct


def test_a_rule_taken_back_is_out_of_force_at_once(ruled: WebProcess, provider: FakeProvider) -> None:
    before = ruled.output.count("is in force")
    manage(ruled, "headerrules", "draft", "team")
    until(lambda: ruled.output.count("is in force") > before, 60, "the configuration")
    say(ruled, "plain", "rules-draft")
    assert [value for name, value in provider.requests[-1].headers if name.lower() == b"x-team"] == [b"a", b"b"]
    before = ruled.output.count("is in force")
    manage(ruled, "headerrules", "live", "team")
    until(lambda: ruled.output.count("is in force") > before, 60, "the configuration")
    say(ruled, "plain", "rules-again")
    assert provider.requests[-1].header("x-team") == b"search"
