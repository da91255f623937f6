"""Where requests go when providers fail, and whose credential they see: a keyed gateway with a pool and fallbacks."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gateway.policy.signing import sign
from tests.conftest import free_port
from tests.e2e.configured import apply_and_wait, manage
from tests.e2e.processes import ProviderThread, WebProcess, running_web, until
from tests.e2e.spooled import find
from tests.e2e.wire import Answer, Pairs, ask
from tests.upstream import FakeProvider

KEY = "key-of-the-routing-tests-0123"
SIGNED = "key-of-the-signer-0123456789"
SIGNING = "secret-of-the-signer-0123456789"
OTHERS = {
    "narrow": "key-of-the-narrow-0123456789",
    "late": "key-of-the-late-012345678901",
    "gone": "key-gone-0123456789",
    "watched": "key-of-the-watched-0123456789",
}
OWN = b"sk-ant-oat01-the-callers-own"

DOCUMENT = """
providers:
  - {{name: anthropic, dialect: anthropic, address: "{first}", credentials: [{{name: a, secret: sk-ant-api03-pool}}]}}
  - {{name: openai, dialect: openai, address: "{first}", credentials: [{{name: o, secret: sk-openai-pool}}]}}
  - name: second
    dialect: anthropic
    address: "{second}"
    credentials: [{{name: s, secret: second-pool-key}}]
  - {{name: failing, dialect: anthropic, address: "{first}", extra_headers: {{x-scenario: error_529}},
     credentials: [{{name: f, secret: failing-key}}], breaker_mode: "off"}}
  - {{name: dead, dialect: anthropic, address: "http://127.0.0.1:{port}", keyless: true, breaker_mode: "off"}}
  - {{name: foreign, dialect: anthropic, address: "{second}", keyless: true}}
  - {{name: bare, dialect: anthropic, address: "{second}"}}
  - name: pooled
    dialect: anthropic
    address: "{first}"
    credentials: [{{name: one, secret: pool-one}}, {{name: two, secret: pool-two}}]
  - {{name: fragile, dialect: anthropic, address: "{first}", extra_headers: {{x-scenario: error_500}}, keyless: true,
     breaker_mode: enforce, breaker_failures: 3, breaker_open_seconds: 600}}
  - {{name: retried, dialect: anthropic, address: "{first}", extra_headers: {{x-scenario: error_503}}, keyless: true,
     breaker_mode: "off", retry_attempts: 3, retry_on: ["503"], retry_base: 0.01, retry_longest: 0.02}}
  - {{name: hurried, dialect: anthropic, address: "{first}", extra_headers: {{x-scenario: error_503}}, keyless: true,
     breaker_mode: "off", retry_attempts: 5, retry_on: ["503"], retry_backoff: linear, retry_base: 0.2,
     retry_longest: 0.2, retry_deadline: 0.35}}
  - {{name: lazy, dialect: anthropic, address: "{first}", extra_headers: {{x-scenario: "slow;first_ms=600;ms=0"}},
     keyless: true, slow_seconds: 0.2}}
  - {{name: single, dialect: anthropic, address: "{first}", keyless: true, max_in_flight: 1, queue_size: 1,
     queue_longest_wait: 5}}
routes:
  - {{match: plain, provider: anthropic}}
  - {{match: elsewhere, provider: second}}
  - {{match: to-foreign, provider: foreign}}
  - {{match: to-bare, provider: bare}}
  - {{match: fall, provider: failing, model: first-model, targets: [{{provider: second, model: second-model}}]}}
  - {{match: fall-dead, provider: dead, targets: [{{provider: foreign}}]}}
  - {{match: fall-never, provider: failing, fallback_on: ["500"], targets: [{{provider: second}}]}}
  - {{match: all-dead, provider: dead, targets: [{{provider: failing}}]}}
  - {{match: pooled, provider: pooled}}
  - {{match: fragile, provider: fragile}}
  - {{match: retried, provider: retried}}
  - {{match: hurried, provider: hurried}}
  - {{match: single, provider: single}}
  - {{match: lazy, provider: lazy}}
  - {{name: thinkers, match: "think-*", provider: second, scenario: think}}
  - {{name: searchers, match: "any-*", provider: second, scenario: web_search}}
  - {{name: lookers, match: "any-*", provider: second, scenario: image}}
  - {{name: web-team, match: "any-*", provider: foreign, teams: [web]}}
api_keys:
  - {{name: tests, key_env: KEY}}
  - {{name: signer, key_env: SIGNED, signing_secret_env: SIGNING}}
  - {{name: narrow, key_env: NARROW, allowed_models: ["claude-*"], allowed_providers: [second]}}
  - {{name: late, key_env: LATE, expires_at: 2020-01-01}}
  - {{name: gone, key_env: GONE, enabled: false}}
  - {{name: watched, key_env: WATCHED}}
"""


@pytest.fixture(scope="module")
def second() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        yield provider


@pytest.fixture(scope="module")
def routed(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    second: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    secrets = {"KEY": KEY, "SIGNED": SIGNED, "SIGNING": SIGNING} | {name.upper(): key for name, key in OTHERS.items()}
    with running_web(tmp_path_factory.mktemp("routed"), session_database_url, **upstreams, **secrets) as web:
        document = DOCUMENT.format(first=provider_thread.url, second=second.url, port=free_port())
        apply_and_wait(web, document)
        yield web
        apply_and_wait(web, "providers: []\nroutes: []\napi_keys: []\n")


@pytest.fixture(autouse=True)
def books(provider: FakeProvider, second: FakeProvider) -> None:
    second.requests.clear()


def say(web: WebProcess, model: str, mark: str = "", key: str = KEY, extra: Pairs = [], **fields: object) -> Answer:  # noqa: B006
    body = json.dumps({"model": model, "messages": [], **fields}).encode()
    return ask(web, "POST", f"/v1/messages?mark={mark or model}", [(b"x-api-key", key.encode()), *extra], body)


def credentials(provider: FakeProvider) -> list[bytes | None]:
    return [request.header("x-api-key") or request.header("authorization") for request in provider.requests]


def attempts(web: WebProcess, mark: str) -> list[tuple[str, int | None, str | None]]:
    exchange = find(web, f"mark={mark}")
    return [(attempt.provider, attempt.status, attempt.reason) for attempt in exchange.end.attempts]


BESIDE: Pairs = [(b"x-turnlog-key", KEY.encode()), (b"authorization", b"Bearer " + OWN)]
KINDS = {
    "the default provider": ("unrouted", b"Bearer " + OWN, None),
    "a route to the default provider": ("plain", b"Bearer " + OWN, None),
    "a route to another": ("elsewhere", None, b"second-pool-key"),
    "a route to a keyless engine": ("to-foreign", None, b""),
    "a fallback to another": ("fall", b"failing-key", b"second-pool-key"),
    "a fallback to a keyless engine": ("fall-dead", None, b""),
}


@pytest.mark.parametrize(("model", "first_sees", "second_sees"), KINDS.values(), ids=KINDS)
def test_a_callers_own_credential_reaches_only_whom_it_was_issued_for(
    routed: WebProcess,
    provider: FakeProvider,
    second: FakeProvider,
    model: str,
    first_sees: bytes | None,
    second_sees: bytes | None,
) -> None:
    body = json.dumps({"model": model, "messages": []}).encode()
    answer = ask(routed, "POST", "/v1/messages", BESIDE, body)
    assert answer.status == 200
    assert credentials(provider) == ([] if first_sees is None else [first_sees])
    assert credentials(second) == ([] if second_sees is None else [second_sees or None])
    for request in [*second.requests, *(provider.requests if first_sees != b"Bearer " + OWN else [])]:
        assert OWN not in b"".join(value for _, value in request.headers)
    for request in [*second.requests, *provider.requests]:
        assert KEY.encode() not in b"".join(value for _, value in request.headers)


def test_where_a_provider_has_no_credential_401_says_so(routed: WebProcess, second: FakeProvider) -> None:
    answer = ask(routed, "POST", "/v1/messages", BESIDE, b'{"model":"to-bare"}')
    assert (answer.status, answer.header(b"x-should-retry")) == (401, b"false")
    assert b"bare has no credential" in answer.body
    assert not second.requests


def test_a_fallback_is_taken_and_both_attempts_are_recorded(routed: WebProcess, second: FakeProvider) -> None:
    assert say(routed, "fall", "fallen").status == 200
    assert json.loads(second.requests[0].body)["model"] == "second-model"
    assert second.requests[0].header("x-scenario") is None
    assert attempts(routed, "fallen") == [
        ("failing", 529, "route fall"),
        ("second", 200, "fallback after 529 from failing"),
    ]
    patches = find(routed, "mark=fallen").patches
    assert [patch.text for patch in patches] == [b'"second-model"']


def test_a_failure_the_route_does_not_name_is_relayed(routed: WebProcess, second: FakeProvider) -> None:
    answer = say(routed, "fall-never")
    assert answer.status == 529
    assert not second.requests


def test_when_all_fail_the_last_failure_is_told(routed: WebProcess) -> None:
    assert say(routed, "all-dead").status == 529
    recorded = attempts(routed, "all-dead")
    assert [(name, status) for name, status, _ in recorded] == [("dead", None), ("failing", 529)]


def test_nothing_is_repeated_after_the_first_byte(
    routed: WebProcess, provider: FakeProvider, second: FakeProvider
) -> None:
    answer = say(routed, "plain", "cut", extra=[(b"x-scenario", b"cut;at=1")], stream=True)
    assert not answer.whole or b"error" in answer.body
    assert len(provider.requests) == 1
    assert not second.requests


def test_a_limited_credential_rests_and_another_takes_over(routed: WebProcess, provider: FakeProvider) -> None:
    limited: Pairs = [(b"x-scenario", b"error_429;retry_after=2")]
    answer = say(routed, "pooled", "limited", extra=limited)
    assert answer.status == 429
    assert set(credentials(provider)) == {b"pool-one", b"pool-two"}
    assert len(provider.requests) == 2
    busy = say(routed, "pooled", "busy")
    assert busy.status == 429
    assert int(busy.header(b"retry-after") or 0) >= 1
    assert b"All credentials of the provider pooled are busy" in busy.body
    assert len(provider.requests) == 2
    until(lambda: say(routed, "pooled", "rested").status == 200, 70, "a rested credential")


def test_a_conversation_keeps_its_credential(routed: WebProcess, provider: FakeProvider) -> None:
    until(lambda: say(routed, "pooled", "ready").status == 200, 70, "a rested credential")
    provider.requests.clear()
    for number in range(12):
        session = b"session-%d" % (number % 3)
        assert say(routed, "pooled", "sticky", extra=[(b"x-claude-code-session-id", session)]).status == 200
    seen: dict[str, set[bytes | None]] = {}
    for request in provider.requests:
        seen.setdefault(str(request.header("x-claude-code-session-id")), set()).add(request.header("x-api-key"))
    assert len(seen) == 3
    assert all(len(used) == 1 for used in seen.values())


def test_a_breaker_opens_and_says_so_in_the_dialect(routed: WebProcess, provider: FakeProvider) -> None:
    statuses = [say(routed, "fragile").status for _ in range(3)]
    assert statuses == [500, 500, 500]
    sent = len(provider.requests)
    refused = say(routed, "fragile", "open")
    assert refused.status == 529
    error = json.loads(refused.body)["error"]
    assert error["type"] == "overloaded_error"
    assert error["message"].startswith("backend_unavailable_circuit_open")
    assert int(refused.header(b"retry-after") or 0) > 100
    assert len(provider.requests) == sent
    assert find(routed, "mark=open").end.outcome == "denied"


def test_a_retry_is_made_where_the_provider_allows_it(routed: WebProcess, provider: FakeProvider) -> None:
    assert say(routed, "retried").status == 503
    assert len(provider.requests) == 3
    reasons = [reason for _, _, reason in attempts(routed, "retried")]
    assert reasons == ["route retried", "retry 1 after 503", "retry 2 after 503"]


def test_the_deadline_of_retries_counts_from_the_first_try(routed: WebProcess, provider: FakeProvider) -> None:
    assert say(routed, "hurried").status == 503
    assert len(provider.requests) == 2, "a second retry would begin 0.4 s after the first try"


def test_a_place_is_waited_for_and_a_full_queue_refuses(routed: WebProcess, provider: FakeProvider) -> None:
    answers: dict[str, int] = {}

    def one(mark: str, extra: Pairs) -> None:
        answers[mark] = say(routed, "single", mark, extra=extra, stream=True).status

    held = threading.Thread(target=one, args=("held", [(b"x-scenario", b"slow;ms=400")]))
    held.start()
    until(lambda: len(provider.requests) == 1, 60, "the one that has the place")
    others = [threading.Thread(target=one, args=(f"other-{number}", [])) for number in range(3)]
    for thread in others:
        thread.start()
    for thread in [held, *others]:
        thread.join(30)
    assert answers.pop("held") == 200
    assert sorted(answers.values()) == [200, 529, 529]
    refused = next(mark for mark, status in answers.items() if status == 529)
    end = find(routed, f"mark={refused}").end
    assert end.outcome == "denied"
    assert "the queue is full" in (end.error or "")


def test_scenarios_and_names_in_the_path_decide(
    routed: WebProcess, provider: FakeProvider, second: FakeProvider
) -> None:
    say(routed, "think-1", thinking={"type": "enabled", "budget_tokens": 1})
    assert len(second.requests) == 1
    say(routed, "think-1", thinking={"type": "disabled"})
    assert len(provider.requests) == 1
    say(routed, "any-1", tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert len(second.requests) == 2
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    say(routed, "any-1", messages=[{"role": "user", "content": [picture]}])
    assert len(second.requests) == 3
    key: Pairs = [(b"x-api-key", KEY.encode())]
    answer = ask(routed, "POST", "/t/web/v1/messages?mark=team", key, b'{"model":"any-1"}')
    assert answer.status == 200
    assert second.requests[-1].target == b"/v1/messages?mark=team"
    assert second.requests[-1].header("x-api-key") is None
    admission = find(routed, "mark=team").admission
    assert (admission.label, admission.team, admission.path) == ("web", "web", "/v1/messages")


def test_any_gateway_path_may_stand_below_a_name(routed: WebProcess, provider: FakeProvider) -> None:
    key: Pairs = [(b"authorization", b"Bearer " + KEY.encode())]
    assert ask(routed, "GET", "/t/search/livez").status == 200
    assert ask(routed, "POST", "/t/search/v1/chat/completions", key, b"{}").status == 200
    assert ask(routed, "GET", "/t/search/v1/models", key).status == 200
    assert provider.requests[-1].target == b"/v1/models"
    assert ask(routed, "POST", "/t/bad name/v1/messages".replace(" ", "%20"), key, b"{}").status == 404
    assert ask(routed, "POST", "/t/a/t/b/v1/messages", key, b"{}").status == 404


ENVELOPES = {"/v1/messages": "anthropic", "/v1/chat/completions": "openai", "/v1/responses": "openai"}
STATUSES = {
    "no key": ("", 401, "authentication_error", "invalid_api_key"),
    "an unknown key": ("nobodys-key", 401, "authentication_error", "invalid_api_key"),
    "an expired key": (OTHERS["late"], 403, "permission_error", "permission_denied"),
    "a revoked key": (OTHERS["gone"], 403, "permission_error", "permission_denied"),
    "a model out of scope": (OTHERS["narrow"], 403, "permission_error", "permission_denied"),
}


@pytest.mark.parametrize("path", ENVELOPES)
@pytest.mark.parametrize(("key", "status", "kind", "code"), STATUSES.values(), ids=STATUSES)
def test_our_own_statuses_in_all_envelopes(
    routed: WebProcess, provider: FakeProvider, path: str, key: str, status: int, kind: str, code: str
) -> None:
    sent: Pairs = [(b"x-api-key", key.encode())] if key else []
    answer = ask(routed, "POST", path, sent, b'{"model":"gpt-9"}')
    assert (answer.status, answer.header(b"x-should-retry")) == (status, b"false")
    error = json.loads(answer.body)["error"]
    assert error["type"] == kind if ENVELOPES[path] == "anthropic" else error["code"] == code
    assert not provider.requests


def test_a_key_reaches_only_the_providers_of_its_scope(routed: WebProcess, second: FakeProvider) -> None:
    answer = say(routed, "claude-x", key=OTHERS["narrow"])
    assert answer.status == 403
    assert b"anthropic: the key narrow may not reach it" in answer.body


def test_a_signed_key_opens_for_a_signed_request_once(routed: WebProcess, provider: FakeProvider) -> None:
    body, target = b'{"model":"plain"}', b"/t/web/v1/messages?signed=1"
    key: Pairs = [(b"x-api-key", SIGNED.encode())]
    assert ask(routed, "POST", target.decode(), key, body).status == 401
    signature = sign(SIGNING.encode(), int(time.time()), "POST", target, body)
    assert ask(routed, "POST", target.decode(), [*key, (b"x-turnlog-signature", signature)], body).status == 200
    assert provider.requests[-1].header("x-turnlog-signature") is None
    again = ask(routed, "POST", target.decode(), [*key, (b"x-turnlog-signature", signature)], body)
    assert again.status == 401
    assert b"used before" in again.body
    other = ask(routed, "POST", target.decode(), [*key, (b"x-turnlog-signature", signature)], body + b" ")
    assert b"another secret or for another request" in other.body


def log_lines(web: WebProcess, mark: str, event: str) -> list[str]:
    """What the log says of that kind about the newest exchange of this mark."""
    exchange_id = str(UUID(bytes=find(web, f"mark={mark}").exchange_id))
    return [line for line in web.output.splitlines() if event in line and exchange_id in line]


def test_a_provider_that_takes_longer_than_is_usual_for_it_is_told_of(routed: WebProcess) -> None:
    assert say(routed, "lazy").status == say(routed, "plain", "quick").status == 200
    (line,) = log_lines(routed, "lazy", "slow")
    assert "lazy" in line
    assert not log_lines(routed, "quick", "slow")


def test_each_decision_of_a_watched_key_is_in_the_log(routed: WebProcess) -> None:
    """That it ends by itself: tests/gateway/api/test_facts.py."""
    moment = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    document = f"api_keys: [{{name: watched, key_env: WATCHED, debug_until: '{moment}'}}]"
    manage(routed, "config", "apply", "-", text=document)
    marks = (f"watched-{number}" for number in itertools.count())

    def decisions(key: str = OTHERS["watched"]) -> list[str]:
        mark = next(marks)
        assert say(routed, "plain", mark, key).status == 200
        return log_lines(routed, mark, "decided")

    (line,) = until(decisions, 60, "a decision in the log")
    assert "anthropic/(as asked)" in line
    assert not decisions(KEY)


def test_simulate_says_where_a_request_would_go(
    routed: WebProcess, provider: FakeProvider, second: FakeProvider
) -> None:
    told = manage(routed, "simulate", "fall", "--key", "tests")
    assert "why: route fall, 2 targets in order\n1. failing/first-model at" in told
    assert "2. second/second-model at" in told
    assert "refused: " in manage(routed, "simulate", "to-bare", "--key", "tests")
    assert "may not ask for" in manage(routed, "simulate", "gpt-5", "--key", "narrow")
    assert not provider.requests + second.requests
