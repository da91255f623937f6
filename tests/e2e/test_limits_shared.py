"""Two processes with one Redis count together; a Redis that stalls or is gone delays no request."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from cryptography.fernet import Fernet

from tests.conftest import RedisProcess, free_port, running_redis
from tests.e2e.configured import apply_and_wait
from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.wire import Answer, Wire, ask
from tests.upstream import FakeProvider

KEYS = {name: f"key-of-{name}-0123456789" for name in ("at-once", "spender", "stalled", "strict", "gone", "kept")}
DOCUMENT = (
    (
        'providers: [{{name: fake, dialect: anthropic, address: "{url}", keyless: true}}]\n'
        'routes: [{{match: "*", provider: fake}}]\n'
        "api_keys:\n" + "".join(f"  - {{{{name: {name}, key_env: KEY_{name[:4].upper()}}}}}\n" for name in KEYS)
    )
    + """
limits:
  - {{name: two-at-once, scope: key, names: [at-once], concurrent: 2}}
  - {{name: many, scope: key, names: [stalled, gone], requests_per_minute: 1000, concurrent: 100}}
cache_rules:
  - {{name: common, keys: [kept], store: redis}}
budgets:
  - {{name: common, scope: key, names: [spender], period: monthly, tokens: 1000}}
  - {{name: wide, scope: key, names: [stalled, gone], period: daily, usd: 100}}
  - {{name: strictly, scope: key, names: [strict], period: daily, tokens: 1000000, when_unknown: refuse}}
"""
)
COUNTED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Pair(NamedTuple):
    first: WebProcess
    second: WebProcess
    redis: RedisProcess


@pytest.fixture(scope="module")
def pair(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    secrets = {"TURNLOG_SECRET_KEY": "s" * 50, "TURNLOG_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    secrets |= {f"KEY_{name[:4].upper()}": key for name, key in KEYS.items()}
    with running_redis(tmp_path_factory.mktemp("redis"), free_port()) as redis:
        environment = upstreams | secrets | {"REDIS_URL": redis.url}
        with (
            running_web(one, session_database_url, **environment) as first,
            running_web(two, session_database_url, **environment) as second,
        ):
            apply_and_wait(first, DOCUMENT.format(url=provider_thread.url))
            until(lambda: say(second, "stalled").status == 200, 60, "the configuration in the second")
            yield Pair(first, second, redis)
            redis.process.send_signal(signal.SIGCONT)
            apply_and_wait(first, "providers: []\nroutes: []\napi_keys: []\nlimits: []\nbudgets: []\ncache_rules: []\n")


def message(**more: object) -> bytes:
    asked = {"model": "claude-x", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}], **more}
    return json.dumps(asked).encode()


def say(web: WebProcess, key: str) -> Answer:
    return ask(web, "POST", "/v1/messages", [(b"x-api-key", KEYS[key].encode())], message())


def open_stream(web: WebProcess, key: str) -> Wire:
    """An answer that has begun and does not end."""
    wire = Wire(web)
    pairs = [(b"x-api-key", KEYS[key].encode()), (b"x-scenario", b"silence;after_events=1")]
    wire.request("POST", b"/v1/messages", pairs, message(stream=True))
    until(lambda: wire.fill() and b" 200 " in wire.buffer[:20], 60, "the beginning of an answer")
    return wire


def test_requests_at_once_are_counted_over_both(pair: Pair) -> None:
    with open_stream(pair.first, "at-once"), open_stream(pair.second, "at-once"):
        until(lambda: say(pair.first, "at-once").status == 429, 3, "the first to know of the second's")
        until(lambda: say(pair.second, "at-once").status == 429, 3, "the second to know of the first's")
    until(lambda: say(pair.first, "at-once").status == 200, 60, "the end of both")
    until(lambda: say(pair.second, "at-once").status == 200, 60, "the end of both")


def test_a_budget_is_spent_together_and_overspent_by_one_request_of_each(pair: Pair) -> None:
    spent: tuple[list[int], list[int]] = ([], [])

    def spend(number: int, web: WebProcess) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = say(web, "spender")
            if answer.status == 200:
                spent[number].append(sum(json.loads(answer.body)["usage"].get(name, 0) for name in COUNTED))
            elif json.loads(answer.body)["error"]["type"] == "billing_error":
                return
        raise AssertionError("the budget was never spent")

    threads = [
        threading.Thread(target=spend, args=(number, web))
        for number, web in enumerate((pair.first, pair.second))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(70)
        assert not thread.is_alive()
    assert all(spent)
    total = sum(map(sum, spent))
    assert 1000 <= total <= 1000 + 2 * max(max(each) for each in spent)


def test_an_answer_kept_by_one_is_given_again_by_the_other(pair: Pair, provider: FakeProvider) -> None:
    first = say(pair.first, "kept")
    second = until(lambda: (now := say(pair.second, "kept")).header(b"x-turnlog-cache") == b"hit" and now, 60, "a hit")
    assert second.body == first.body or len(provider.requests) > 1
    pair.redis.process.send_signal(signal.SIGSTOP)
    try:
        # It is asked for a tenth of a second, and then left alone for a while.
        fresh = message(system="nobody has asked this yet")
        key = [(b"x-api-key", KEYS["kept"].encode())]
        began = time.monotonic()
        answers = [ask(pair.second, "POST", "/v1/messages", key, fresh + b" " * n) for n in range(5)]
        assert {answer.status for answer in answers} == {200}
        assert time.monotonic() - began < 1.0
    finally:
        pair.redis.process.send_signal(signal.SIGCONT)


def durations(web: WebProcess, key: str, count: int) -> list[tuple[int, float]]:
    found = []
    for _ in range(count):
        began = time.monotonic()
        found.append((say(web, key).status, time.monotonic() - began))
    return found


def test_a_stalled_redis_delays_no_request(pair: Pair) -> None:
    for key, web in (("strict", pair.first), ("stalled", pair.first), ("stalled", pair.second)):
        until(lambda key=key, web=web: {say(web, key).status for _ in range(3)} == {200}, 60, "its share")  # type: ignore[misc]
    pair.redis.process.send_signal(signal.SIGSTOP)
    try:
        found = durations(pair.first, "stalled", 10) + durations(pair.second, "stalled", 10)
        # Redis is given up after a second: anybody who waited for it took that long.
        assert {status for status, _ in found} == {200}
        assert max(seconds for _, seconds in found) < 0.9
        until(lambda: "limits are not shared" in pair.first.output, 60, "the note that Redis does not answer")
        found = durations(pair.first, "stalled", 10)
        assert {status for status, _ in found} == {200}
        assert max(seconds for _, seconds in found) < 0.9
        # A rule that refuses goes by what was granted last, and then says that it does not know.
        refused = until(lambda: (now := say(pair.first, "strict")).status != 200 and now, 40, "the end of its share")
        assert refused.status == 503
        assert b"The standing of strictly of key strict is not known" in refused.body
    finally:
        pair.redis.process.send_signal(signal.SIGCONT)
    until(lambda: "limits are shared with the other processes again" in pair.first.output, 60, "Redis")
    until(lambda: say(pair.first, "strict").status == 200, 60, "the standing")


def test_a_redis_that_is_gone_counts_nothing_twice_when_it_is_back(
    pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert say(pair.first, "gone").status == 200
    one = until(lambda: standing(pair.first), 60, "the first's own")
    assert say(pair.second, "gone").status == 200
    until(lambda: both(pair, 2 * one), 60, "both to know of both")
    pair.redis.process.kill()
    pair.redis.process.wait()
    assert [status for status, _ in durations(pair.first, "gone", 5)] == [200] * 5
    with running_redis(tmp_path_factory.mktemp("back"), int(pair.redis.url.rpartition(":")[2].split("/")[0])):
        until(lambda: both(pair, 7 * one), 60, "both to know of all")
        assert say(pair.second, "gone").status == 200
        until(lambda: both(pair, 8 * one), 60, "both to know of one more")
    assert "Traceback" not in pair.first.output + pair.second.output


def both(pair: Pair, amount: float) -> bool:
    return all(abs(standing(web) / amount - 1) < 0.01 for web in (pair.first, pair.second))


def standing(web: WebProcess) -> float:
    answer = ask(web, "GET", "/api/oauth/usage", [(b"x-api-key", KEYS["gone"].encode())])
    return float(json.loads(answer.body)["budgets"][0]["used"])
