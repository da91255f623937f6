"""Two processes with one Redis: what one finds out of a provider the other knows; and nobody waits for Redis."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from cryptography.fernet import Fernet

from gateway.policy.signing import sign
from tests.conftest import RedisProcess, free_port, running_redis
from tests.e2e.configured import apply_and_wait
from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.wire import Answer, Pairs, ask
from tests.upstream import FakeProvider

KEY = "key-of-the-shared-tests-0123"
SIGNED, SIGNING = "key-that-is-signed-0123456", "the-secret-of-the-signer-0123456789"
OPENED = "breaker of {0} for {0}: closed → open"
DOCUMENT = """
providers:
  - {{name: fragile, dialect: anthropic, address: "{url}", extra_headers: {{x-scenario: error_500}}, keyless: true,
     breaker_mode: enforce, breaker_failures: 3, breaker_open_seconds: 600}}
  - {{name: stalled, dialect: anthropic, address: "{url}", extra_headers: {{x-scenario: error_500}}, keyless: true,
     breaker_mode: enforce, breaker_failures: 3, breaker_open_seconds: 600}}
  - {{name: limited, dialect: anthropic, address: "{url}", extra_headers: {{x-scenario: "error_429;retry_after=300"}},
     credentials: [{{name: one, secret: key-one}}, {{name: two, secret: key-two}}], breaker_mode: "off"}}
  - {{name: rejected, dialect: anthropic, address: "{url}", extra_headers: {{x-scenario: error_401}},
     credentials: [{{name: one, secret: key-three}}, {{name: two, secret: key-four}}], breaker_mode: "off"}}
  - {{name: fine, dialect: anthropic, address: "{url}", keyless: true}}
routes:
  - {{match: fragile, provider: fragile}}
  - {{match: stalled, provider: stalled}}
  - {{match: limited, provider: limited}}
  - {{match: rejected, provider: rejected}}
  - {{match: fine, provider: fine}}
api_keys: [{{name: tests, key_env: KEY}}, {{name: signer, key_env: SIGNED, signing_secret_env: SIGNING}}]
"""


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
    with running_redis(tmp_path_factory.mktemp("redis"), free_port()) as redis:
        environment = upstreams | secrets | {"KEY": KEY, "SIGNED": SIGNED, "SIGNING": SIGNING, "REDIS_URL": redis.url}
        with (
            running_web(one, session_database_url, **environment) as first,
            running_web(two, session_database_url, **environment) as second,
        ):
            apply_and_wait(first, DOCUMENT.format(url=provider_thread.url))
            until(lambda: say(second, "fine").status == 200, 60, "the configuration in the second")
            yield Pair(first, second, redis)
            redis.process.send_signal(signal.SIGCONT)
            apply_and_wait(first, "providers: []\nroutes: []\napi_keys: []\n")


def say(web: WebProcess, model: str) -> Answer:
    key: Pairs = [(b"x-api-key", KEY.encode())]
    return ask(web, "POST", "/v1/messages", key, json.dumps({"model": model, "messages": []}).encode())


def test_a_breaker_that_opens_in_one_process_is_open_in_the_other(pair: Pair, provider: FakeProvider) -> None:
    assert [say(pair.first, "fragile").status for _ in range(4)] == [500, 500, 500, 529]
    refused = until(lambda: (found := say(pair.second, "fragile")).status == 529 and found, 4, "the news", 0.5)
    assert b"backend_unavailable_circuit_open" in refused.body
    # A request may have gone through before the news came, but no third, which would have opened it there.
    assert len(provider.requests) < 6
    assert OPENED.format("fragile") not in pair.second.output


@pytest.mark.parametrize(("model", "relayed", "own"), [("limited", 429, 429), ("rejected", 401, 503)])
def test_a_credential_one_process_may_not_use_is_not_used_by_the_other(
    pair: Pair, provider: FakeProvider, session_database_url: str, model: str, relayed: int, own: int
) -> None:
    with psycopg.connect(session_database_url, autocommit=True) as database:
        check_shared(pair, provider, database, model, relayed, own)


def check_shared(
    pair: Pair, provider: FakeProvider, database: psycopg.Connection[Any], model: str, relayed: int, own: int
) -> None:
    assert say(pair.first, model).status == relayed
    asked = len(provider.requests)

    def knows() -> bool:
        known = [told for told in told_credentials(database, pair.second) if told["provider"] == model]
        return bool(known) and all(told["rejected"] or told["rests_seconds"] > 60 for told in known)

    until(knows, 6, "the news in the second process")
    assert say(pair.second, model).status == own
    assert len(provider.requests) == asked


def told_credentials(database: psycopg.Connection[Any], web: WebProcess) -> list[dict[str, Any]]:
    """What a process tells of itself every other second."""
    process = f"{socket.gethostname()}:{web.pid}"
    row = database.execute("SELECT state FROM gateway_fleetstate WHERE process = %s", [process]).fetchone()
    return row[0]["credentials"] if row is not None else []


def test_a_process_that_starts_later_learns_what_was_found_out(
    pair: Pair, session_database_url: str, tmp_path: Path
) -> None:
    environment = pair.first.environment | {"TURNLOG_DATA_DIR": str(tmp_path / "data")}
    with running_web(tmp_path, session_database_url, **environment) as third:
        assert until(lambda: say(third, "fragile").status == 529, 3, "the news")


def signed(number: int) -> bytes:
    target = TARGET + str(number).encode()
    return sign(SIGNING.encode(), int(time.time()), "POST", target, b'{"model":"fine"}')


TARGET, NUMBERS = b"/v1/messages?signed=", itertools.count()


def send_signed(web: WebProcess, number: int, signature: bytes) -> Answer:
    pairs: Pairs = [(b"x-api-key", SIGNED.encode()), (b"x-turnlog-signature", signature)]
    return ask(web, "POST", f"{TARGET.decode()}{number}", pairs, b'{"model":"fine"}')


def test_a_signed_request_opens_once_in_all_processes(
    pair: Pair, provider: FakeProvider, session_database_url: str, tmp_path: Path
) -> None:
    """A replay that comes before the news opens the other process, so each try is another request."""

    def is_refused_elsewhere() -> bool:
        number = next(NUMBERS)
        signature = signed(number)
        assert send_signed(pair.first, number, signature).status == 200
        return b"used before" in send_signed(pair.second, number, signature).body

    number = next(NUMBERS)
    signature = signed(number)
    assert until(is_refused_elsewhere, 60, "a replay that is refused by the other process")
    assert send_signed(pair.second, number, signature).status == 200
    used = [(number := next(NUMBERS), signed(number)) for _ in range(100)]
    assert {send_signed(pair.second, number, signature).status for number, signature in used} == {200}
    environment = pair.first.environment | {"TURNLOG_DATA_DIR": str(tmp_path / "data")}
    with running_web(tmp_path, session_database_url, **environment) as third:
        tries = iter(used)
        until(lambda: b"used before" in send_signed(third, *next(tries)).body, 60, "a process that came later to know")


def test_a_stalled_redis_delays_no_request(pair: Pair, provider: FakeProvider) -> None:
    pair.redis.process.send_signal(signal.SIGSTOP)
    try:
        answers = []
        for model in ("fine", "stalled", "stalled", "stalled", "stalled", "fine", "fine"):
            began = time.monotonic()
            answers.append((model, say(pair.first, model).status, time.monotonic() - began))
        assert [status for _, status, _ in answers] == [200, 500, 500, 500, 529, 200, 200]
        # Redis is given up after a second: anybody who waited for it took that long.
        assert max(seconds for *_, seconds in answers) < 0.9
        until(lambda: "were not sent" in pair.first.output, 60, "the note that Redis does not answer")
        assert say(pair.first, "fine").status == 200
        began, number = time.monotonic(), next(NUMBERS)
        signature = signed(number)
        assert send_signed(pair.first, number, signature).status == 200
        assert send_signed(pair.first, number, signature).status == 401
        assert time.monotonic() - began < 0.9
    finally:
        pair.redis.process.send_signal(signal.SIGCONT)


def test_a_redis_that_is_gone_crashes_nothing_and_is_used_again_when_it_is_back(
    pair: Pair, provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = DOCUMENT.replace("name: stalled", "name: again").replace("stalled", "again")
    pair.redis.process.kill()
    pair.redis.process.wait()
    apply_and_wait(pair.first, document.format(url=provider.url))
    until(lambda: say(pair.second, "again").status == 500, 60, "the configuration without Redis")
    assert say(pair.first, "fine").status == say(pair.second, "fine").status == 200
    with running_redis(tmp_path_factory.mktemp("back"), int(pair.redis.url.rpartition(":")[2].split("/")[0])):
        time.sleep(2.5)
        assert [say(pair.first, "again").status for _ in range(4)] == [500, 500, 500, 529]
        until(lambda: say(pair.second, "again").status == 529, 3, "the news")
    assert "Traceback" not in pair.first.output + pair.second.output
