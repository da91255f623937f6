"""Limits and budgets of a running gateway: what is refused and how, what is counted, what clients are told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.e2e.configured import apply_and_wait, manage
from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.wire import Answer, Pairs, Wire, ask
from tests.upstream import FakeProvider

KEYS = {
    name: f"key-of-{name}-0123456789"
    for name in (
        "slow",
        "twice",
        "one",
        "spent",
        "warned",
        "shown",
        "exempt",
        "cut",
        "odd",
        "talker",
        "sessions",
        "free",
    )
}
OWN = (
    "providers:\n"
    '  - {{name: fake, dialect: anthropic, address: "{url}", keyless: true}}\n'
    '  - {{name: engine, dialect: openai, address: "{url}", keyless: true}}\n'
    '  - {{name: small, dialect: anthropic, address: "{url}", keyless: true, extra_headers: {{x-from: small}}}}\n'
    '  - {{name: broken, dialect: anthropic, address: "{url}", keyless: true,'
    " extra_headers: {{x-scenario: error_500}}}}\n"
    "routes:\n"
    '  - {{match: "claude-*", provider: fake}}\n'
    '  - {{match: "spread", provider: small, targets: [{{provider: fake}}]}}\n'
    '  - {{match: "small", provider: small}}\n'
    '  - {{match: "gpt-*", provider: engine}}\n'
    '  - {{match: "failing", provider: broken, model: first-model, fallback_on: ["500"],'
    " targets: [{{provider: fake, model: second-model}}]}}\n"
    "api_keys:\n" + "".join(f"  - {{{{name: {name}, key_env: {name.upper()}}}}}\n" for name in KEYS)
)
RULES = """
limits:
  - {{name: slowly, scope: key, names: [slow], requests_per_minute: 2}}
  - {{name: second, scope: key, names: [twice], requests_per_second: 1, burst: 2}}
  - {{name: alone, scope: key, names: [one], concurrent: 1}}
  - {{name: full-house, scope: provider, names: [small], requests_per_minute: 1}}
  - {{name: talk, scope: key, names: [talker], tokens_per_minute: 100}}
budgets:
  - {{name: nothing-left, scope: key, names: [spent], period: daily, zone: Europe/Berlin, tokens: 10,
     message: Ask in the channel ai-platform for more}}
  - {{name: some, scope: key, names: [shown], period: monthly, usd: 1.0}}
  - {{name: quiet, scope: key, names: [free], period: daily, usd: 1000, show: false}}
  - {{name: warn, scope: key, names: [warned], period: weekly, tokens: 100}}
  - {{name: cuts, scope: key, names: [cut], period: daily, tokens: 1000000}}
  - {{name: odd, scope: key, names: [odd], period: daily, usd: 100}}
  - {{name: by-model, scope: model, models: [first-model, second-model], period: daily, tokens: 1000000}}
  - {{name: session, scope: session, models: [claude-session-*], period: daily, tokens: 10}}
"""


@pytest.fixture(scope="module")
def limited(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[WebProcess]:
    environment = upstreams | {name.upper(): key for name, key in KEYS.items()}
    with running_web(tmp_path_factory.mktemp("limited"), session_database_url, **environment) as web:
        apply_and_wait(web, (OWN + RULES).format(url=provider_thread.url))
        yield web
        apply_and_wait(web, "providers: []\nroutes: []\napi_keys: []\nlimits: []\nbudgets: []\n")


def say(web: WebProcess, key: str, *more: tuple[bytes, bytes], **body: Any) -> Answer:
    return ask(web, "POST", "/v1/messages", headers(key, *more), message(**body))


def headers(key: str, *more: tuple[bytes, bytes]) -> Pairs:
    return [(b"x-api-key", KEYS[key].encode()), *more]


def message(**body: Any) -> bytes:
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}], **body}
    return json.dumps(asked).encode()


def unified(answer: Answer) -> dict[str, str]:
    return {
        name.decode().removeprefix("anthropic-ratelimit-unified-"): value.decode()
        for name, value in answer.pairs
        if name.startswith(b"anthropic-ratelimit-")
    }


def test_a_rate_is_refused_in_each_dialect_with_when_to_come_again(limited: WebProcess) -> None:
    assert [say(limited, "slow").status for _ in range(2)] == [200, 200]
    refused = say(limited, "slow")
    assert refused.status == 429
    assert json.loads(refused.body)["error"]["type"] == "rate_limit_error"
    assert "The limit slowly allows 2 requests a minute of key slow." in json.loads(refused.body)["error"]["message"]
    assert 1 <= int(refused.header(b"retry-after") or 0) <= 30
    assert refused.header(b"x-should-retry") is None
    chat = ask(limited, "POST", "/v1/chat/completions", headers("slow"), message(model="gpt-5.5"))
    error = json.loads(chat.body)["error"]
    assert (chat.status, error["type"], error["code"]) == (429, "requests", "rate_limit_exceeded")


def test_where_a_provider_has_no_room_the_next_is_asked(limited: WebProcess, provider: FakeProvider) -> None:
    assert [say(limited, "free", model="spread").status for _ in range(3)] == [200, 200, 200]
    marked = [(b"x-from", b"small") in [(n.lower(), v) for n, v in seen.headers] for seen in provider.requests]
    assert marked == [True, False, False]
    assert say(limited, "free", model="small").status == 429


def test_a_burst_is_let_through_and_the_rate_goes_on(limited: WebProcess) -> None:
    assert [say(limited, "twice").status for _ in range(3)] == [200, 200, 429]
    assert until(lambda: say(limited, "twice").status == 200, 3, "the next second")


def test_requests_at_once_are_counted_until_they_end(limited: WebProcess) -> None:
    with Wire(limited) as wire:
        scenario = (b"x-scenario", b"silence;after_events=1")
        wire.request("POST", b"/v1/messages", headers("one", scenario), message(stream=True))
        until(lambda: wire.fill() and b"200 OK" in wire.buffer, 60, "the beginning of the answer")
        assert say(limited, "one").status == 429
    assert until(lambda: say(limited, "one").status == 200, 60, "the end of the first")


def test_tokens_a_minute_are_those_the_provider_counted(limited: WebProcess) -> None:
    assert say(limited, "talker").status == 200
    statuses = [say(limited, "talker").status for _ in range(40)]
    assert 429 in statuses
    assert statuses[0] == 200


def test_a_spent_budget_says_so_in_the_contracts_words(limited: WebProcess) -> None:
    assert say(limited, "spent").status == 200
    refused = until(lambda: (found := say(limited, "spent")).status == 429 and found, 3, "the budget's end")
    error = json.loads(refused.body)["error"]
    assert error["type"] == "billing_error"
    assert error["message"].startswith("The daily budget nothing-left of key spent is spent: ")
    assert error["message"].endswith(" Europe/Berlin. Ask in the channel ai-platform for more")
    assert refused.header(b"x-should-retry") == b"false"
    told = unified(refused)
    seconds = int(refused.header(b"retry-after") or 0)
    assert 1 <= seconds <= 25 * 3600
    reset = int(told.pop("reset"))
    assert int(told.pop("overage-reset")) == reset
    assert abs(reset - time.time() - seconds) < 3
    assert float(told.pop("overage-utilization")) >= 1
    assert told == {
        "status": "rejected",
        "overage-surpassed-threshold": "1",
        "overage-period": "daily",
        "overage-disabled-reason": "org_spend_cap_reached",
    }
    chat = ask(limited, "POST", "/v1/chat/completions", headers("spent"), message(model="gpt-5.5"))
    error = json.loads(chat.body)["error"]
    assert (chat.status, error["type"], error["code"]) == (429, "insufficient_quota", "insufficient_quota")
    assert chat.header(b"x-should-retry") == b"false"
    responses = ask(limited, "POST", "/v1/responses", headers("spent"), b'{"model": "gpt-5.5", "input": "hi"}')
    assert (responses.status, json.loads(responses.body)["error"]["code"]) == (429, "insufficient_quota")


def test_what_asks_no_model_is_no_matter_of_budgets(limited: WebProcess) -> None:
    until(lambda: say(limited, "spent").status == 429, 60, "the budget's end")
    counted = ask(limited, "POST", "/v1/messages/count_tokens", headers("spent"), message())
    assert counted.status == 200
    assert ask(limited, "GET", "/livez", headers("spent")).status == 200


def spend(limited: WebProcess, database_url: str, budget: str, subject: str, **used: float) -> None:
    """Let the books say that so much is spent, and wait until the process knows."""
    sets = ", ".join(f"{unit} = {value}" for unit, value in used.items())
    with psycopg.connect(database_url, autocommit=True) as database:
        done = database.execute(
            f"UPDATE gateway_budgetstanding SET {sets} WHERE budget = %s AND subject = %s", [budget, subject]
        )
        assert done.rowcount == 1
    # A change of a budget has the books read again.
    manage(
        limited,
        "config",
        "apply",
        "-",
        text=f"budgets:\n  - {{name: unused-{time.monotonic_ns()}, scope: key, names: [nobody], usd: 1}}\n",
    )


def usage(limited: WebProcess, key: str) -> Any:
    answer = ask(limited, "GET", "/api/oauth/usage", headers(key))
    return json.loads(answer.body) if answer.status == 200 else answer.status


def standing_is_written(database_url: str, budget: str) -> bool:
    with psycopg.connect(database_url) as database:
        return (
            database.execute("SELECT 1 FROM gateway_budgetstanding WHERE budget = %s", [budget]).fetchone() is not None
        )


@pytest.mark.parametrize(
    ("used", "status", "threshold"),
    [(0.5, "allowed", None), (0.76, "allowed_warning", "0.75"), (0.96, "allowed_warning", "0.95")],
)
def test_a_budgets_standing_is_told_as_the_contract_says(
    limited: WebProcess, session_database_url: str, used: float, status: str, threshold: str | None
) -> None:
    assert say(limited, "shown").status == 200
    until(lambda: standing_is_written(session_database_url, "some"), 60, "the standing")
    spend(limited, session_database_url, "some", "shown", usd=used)
    until(lambda: usage(limited, "shown")["budgets"][0]["utilization"] >= used * 100, 60, "the new standing")
    answer = say(limited, "shown")
    told = unified(answer)
    reset = told.pop("reset")
    assert reset == told.pop("overage-reset")
    assert reset.isdigit()
    assert int(reset) > time.time()
    assert told == {
        "status": status,
        "representative-claim": "overage",
        "overage-status": status,
        "overage-utilization": f"{used:.2f}",
    } | ({"overage-surpassed-threshold": threshold} if threshold else {})


def test_the_providers_own_limits_stay_in_the_record_alone(limited: WebProcess, provider: FakeProvider) -> None:
    answer = say(limited, "shown")
    until(lambda: provider.responses, 60, "the provider's note of what it sent")
    sent = {name.lower() for name, _ in provider.responses[-1].headers}
    own = {name for name in sent if name.startswith(b"anthropic-ratelimit-") and b"overage" not in name}
    assert b"anthropic-ratelimit-unified-5h-utilization" in own
    told = {name for name, _ in answer.pairs}
    assert told & own == {
        b"anthropic-ratelimit-unified-" + name for name in (b"status", b"reset", b"representative-claim")
    }
    quiet = say(limited, "free")
    assert own <= {name for name, _ in quiet.pairs}
    assert unified(quiet)["representative-claim"] == "five_hour"


def test_a_signed_in_client_can_ask_for_its_budget(limited: WebProcess) -> None:
    assert say(limited, "shown").status == 200
    told = usage(limited, "shown")
    assert told["extra_usage"]["is_enabled"] is True
    assert told["extra_usage"]["monthly_limit"] == 100
    assert 0 < told["extra_usage"]["used_credits"] <= 100
    assert [(each["name"], each["period"], each["unit"]) for each in told["budgets"]] == [
        (name, period, "usd") for name, period in (("some", "monthly"),)
    ]
    assert usage(limited, "slow") == 404
    assert ask(limited, "GET", "/api/oauth/usage").status == 401


def test_warnings_are_rows_and_notices_once_each(limited: WebProcess, session_database_url: str) -> None:
    with psycopg.connect(session_database_url, autocommit=True) as database:
        database.execute("LISTEN turnlog_budget")
        until(lambda: say(limited, "warned").status == 429, 60, "the budget's end")

        def events() -> list[Any]:
            rows = "SELECT id, threshold, subject, scope, period, unit, amount FROM gateway_budgetevent "
            rows += "WHERE budget = 'warn' ORDER BY 1"
            return database.execute(rows).fetchall()

        found = until(lambda: [row for row in events() if row[1] == 100] and events(), 60, "the last warning")
        heard: list[int] = []

        def all_are_heard() -> bool:
            heard.extend(int(notice.payload) for notice in database.notifies(timeout=0.1))
            return {row[0] for row in found} <= set(heard)

        until(all_are_heard, 60, "the notices")  # those of other budgets come when they come
        assert len(heard) == len(set(heard))
        assert {row[2:] for row in found} == {("warned", "key", "weekly", "tokens", 100.0)}
        thresholds = [row[1] for row in found]
        assert thresholds == sorted(set(thresholds))
        assert set(thresholds) <= {50, 75, 90, 100}


def test_a_cut_stream_costs_what_was_relayed_of_it(limited: WebProcess) -> None:
    text = "word%20" * 400
    scenario = (b"x-scenario", f"silence;after_events=6;events=4;text={text}".encode())
    with Wire(limited) as wire:
        wire.request("POST", b"/v1/messages", headers("cut", scenario), message(stream=True, max_tokens=90_000))
        until(lambda: wire.fill() and b"word" in wire.buffer, 60, "some of the answer")
        held = usage(limited, "cut")["budgets"][0]["used"]
    used = until(lambda: (now := usage(limited, "cut")["budgets"][0]["used"]) > held and now, 60, "the settling")
    assert 20 < used < 3_000


def test_a_model_without_a_price_costs_the_default(limited: WebProcess) -> None:
    assert say(limited, "odd", model="claude-of-nobodys-price").status == 200
    used = until(lambda: usage(limited, "odd")["budgets"][0]["used"], 60, "the cost")
    assert 0 < used < 0.01


def test_after_a_fallback_the_model_that_answered_is_counted(limited: WebProcess, session_database_url: str) -> None:
    assert say(limited, "free", model="failing").status == 200

    def standings() -> dict[str, float]:
        with psycopg.connect(session_database_url) as database:
            query = "SELECT subject, tokens FROM gateway_budgetstanding WHERE budget = 'by-model'"
            return dict(database.execute(query).fetchall())

    counted = until(lambda: (found := standings()).get("second-model") and found, 60, "the standing")
    assert counted["second-model"] > 0
    assert not counted.get("first-model")


def test_a_counter_of_its_own_for_each_session(limited: WebProcess) -> None:
    def of(session: bytes) -> int:
        return say(limited, "sessions", (b"x-claude-code-session-id", session), model="claude-session-1").status

    until(lambda: of(b"first") == 429, 60, "the end of the first session's budget")
    assert of(b"second") == 200


def test_a_rule_changed_while_it_runs_keeps_what_was_used(limited: WebProcess) -> None:
    until(lambda: say(limited, "spent").status == 429, 60, "the budget's end")
    whose = "{name: nothing-left, scope: key, names: [spent], period: daily, zone: Europe/Berlin, tokens: 100000}"
    richer = f"budgets:\n  - {whose}\n"
    manage(limited, "config", "apply", "-", text=richer)
    until(lambda: say(limited, "spent").status == 200, 60, "the larger budget")
    poorer = richer.replace("100000", "10")
    manage(limited, "config", "apply", "-", text=poorer)
    until(lambda: say(limited, "spent").status == 429, 60, "the smaller budget")


@pytest.mark.parametrize("streams", [True, False])
def test_a_translated_answer_is_counted_by_what_its_provider_said(limited: WebProcess, streams: bool) -> None:
    before = usage(limited, "cut")["budgets"][0]["used"]
    answer = say(limited, "cut", model="gpt-5.5", stream=streams)
    assert answer.status == 200
    assert unified(answer)["status"] == "allowed"
    used = until(
        lambda: (now := usage(limited, "cut")["budgets"][0]["used"]) > before and now - before, 60, "the count"
    )
    told = json.loads(answer.body)["usage"] if not streams else None
    if told is not None:
        counted = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        assert used == sum(told.get(name) or 0 for name in counted)
