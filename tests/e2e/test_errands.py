"""What Turnlog itself sends through the gateway: the self-test, and replays of the history."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from gateway.policy.errands import LIFETIME_SECONDS, SELFTEST, Errand, open_errand, seal_errand
from tests.e2e.people import signed_in
from tests.e2e.processes import ROOT, ProviderThread, WebProcess, running_web, until
from tests.e2e.spooled import recorded
from tests.e2e.wire import ask
from tests.upstream import FakeProvider

BODY = b'{ "model":"claude-opus-5-5" ,"max_tokens":1,"messages":[{"role":"user","content":"\\u00e9"}]}'


def manage(web: WebProcess, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=web.environment | environment,
        capture_output=True,
        timeout=60,
    )


def test_nothing_is_different_through_a_running_gateway(web: WebProcess) -> None:
    done = manage(web, "selftest", "--url", web.url)
    shown = done.stdout.decode()
    untouched = [line for line in shown.splitlines() if line.startswith("         ") and " timing: " not in line]
    assert untouched == [], shown
    assert shown.count(" ms, worst") == 10, done.stderr


def test_a_self_test_needs_no_key_and_is_marked(keyed_web: WebProcess) -> None:
    done = manage(keyed_web, "selftest", "--url", keyed_web.url, "--json")
    scenarios = json.loads(done.stdout)["scenarios"]
    assert len(scenarios) == 10
    for scenario in scenarios:
        scenario["differences"].pop("timing")
        assert not any(scenario["differences"].values()), scenario
    marked = [item for item in recorded(keyed_web) if item.admission.purpose == "selftest"]
    assert len(marked) == 10
    assert {item.admission.provider for item in marked} == {"selftest"}
    assert b"tle_" not in b"".join(value for item in marked for _, value in item.admission.headers)


def test_a_gateway_that_does_not_answer_is_said_to(web: WebProcess) -> None:
    done = manage(web, "selftest", "--url", "http://127.0.0.1:9")
    assert done.returncode != 0
    assert b"cannot be reached" in done.stderr


@pytest.mark.parametrize("value", ["tle_", "tle_abc.def", "tle_" + "A" * 5_000])
def test_what_only_looks_like_an_errand_opens_nothing(keyed_web: WebProcess, value: str) -> None:
    headers = [(b"x-turnlog-key", value.encode()), (b"content-type", b"application/json")]
    assert ask(keyed_web, "POST", "/v1/messages", headers, BODY).status == 401


def test_an_errand_is_good_for_some_minutes_and_one_key() -> None:
    errand = Errand(SELFTEST, port=5)
    sealed = seal_errand(errand, b"key", 1_000.0).encode()
    assert open_errand(sealed, b"key", 1_000.0 + LIFETIME_SECONDS - 1) == errand
    assert open_errand(sealed, b"key", 1_000.0 + LIFETIME_SECONDS) is None
    assert open_errand(sealed, b"another", 1_000.0) is None
    assert open_errand(sealed[:-1] + b"x", b"key", 1_000.0) is None


@pytest.fixture(scope="module")
def other_provider() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        yield provider


@pytest.fixture
def loading_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path: Path, provider: FakeProvider
) -> Iterator[WebProcess]:
    """A gateway with a loader beside it."""
    with running_web(tmp_path, session_database_url, **upstreams) as web:
        loader = subprocess.Popen(
            [sys.executable, "manage.py", "loader"], cwd=ROOT, env=web.environment, stderr=subprocess.DEVNULL
        )
        try:
            yield web
        finally:
            loader.terminate()
            loader.wait(60)


def stored(url: str, exchange_id: str) -> tuple[str, uuid.UUID | None, str] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT purpose, replay_of, provider FROM gateway_requestlog WHERE id = %s", [exchange_id]
        ).fetchone()


def test_a_replay_is_the_same_bytes_to_the_same_or_another_provider_and_marked(
    loading_web: WebProcess, provider: FakeProvider, other_provider: FakeProvider, session_database_url: str
) -> None:
    headers = [
        (b"x-api-key", b"sk-ant-mine"),
        (b"content-type", b"application/json"),
        (b"anthropic-beta", b"a,b"),
        (b"X-Odd", b"1"),
    ]
    first = ask(loading_web, "POST", "/v1/messages?beta=true", headers, BODY)
    exchange_id = dict(first.headers)[b"x-turnlog-request-id"].decode()
    until(lambda: stored(session_database_url, exchange_id), 60, "the exchange is in the history")
    with psycopg.connect(session_database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM gateway_provider WHERE name = 'replays'")
    document = f"providers:\n  - name: replays\n    dialect: anthropic\n    address: {other_provider.url}\n"
    (loading_web.directory / "more.yaml").write_text(document)
    applied = manage(loading_web, "config", "apply", str(loading_web.directory / "more.yaml"))
    assert applied.returncode == 0, applied.stderr
    for name, asked in (("", provider), ("replays", other_provider)):
        asked.requests.clear()
        to = ["--provider", name] if name else []
        command = ["history", "replay", exchange_id, "--yes", "--url", loading_web.url, "--credential-env", "MINE", *to]
        done = manage(loading_web, *command, MINE="sk-ant-once-more")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["type"] == "message"
        (again,) = asked.requests
        assert again.body == BODY
        assert again.target == b"/v1/messages?beta=true"
        kept = {key.lower(): value for key, value in again.headers}
        assert (kept[b"anthropic-beta"], kept[b"x-odd"], kept[b"x-api-key"]) == (b"a,b", b"1", b"sk-ant-once-more")
        assert b"x-turnlog-key" not in kept
        replayed = done.stderr.decode().split()[-1]
        row = until(lambda replayed=replayed: stored(session_database_url, replayed), 60, "the replay is stored")
        assert row == ("replay", uuid.UUID(exchange_id), name or "anthropic")


def test_a_replay_from_the_page_of_a_request_leads_to_the_new_one(
    loading_web: WebProcess, provider: FakeProvider, session_database_url: str
) -> None:
    headers = [(b"x-api-key", b"sk-ant-mine"), (b"content-type", b"application/json")]
    first = ask(loading_web, "POST", "/v1/messages?beta=true", headers, BODY)
    exchange_id = dict(first.headers)[b"x-turnlog-request-id"].decode()
    until(lambda: stored(session_database_url, exchange_id), 60, "the exchange is in the history")
    # Pages know their own gateway by its configured port, as the self-test's does.
    loading_web.stop()
    loading_web.environment["TURNLOG_PORT"] = str(loading_web.port)
    loading_web.start("--port", str(loading_web.port))
    provider.requests.clear()
    session = signed_in(loading_web, [(f"replays-{exchange_id}", "superuser", "")])
    cookies = {"sessionid": session[f"replays-{exchange_id}"]}
    address = f"/d/r/{exchange_id}/replay/"
    with httpx.Client(base_url=loading_web.url, cookies=cookies, timeout=60) as browser:
        page = browser.get(address)
        assert page.status_code == 200
        token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        assert not provider.requests
        done = browser.post(address, data={"csrfmiddlewaretoken": token})
    assert done.status_code == 302, done.text
    new = done.headers["location"].removeprefix("/d/r/").rstrip("/")
    row = until(lambda: stored(session_database_url, new), 60, "the replay is stored")
    assert row == ("replay", uuid.UUID(exchange_id), "anthropic")
    (again,) = provider.requests
    assert again.body == BODY
    assert b"sk-ant-mine" not in dict(again.headers).values()


def test_a_replay_is_asked_for_twice_where_nobody_can_answer(
    loading_web: WebProcess, session_database_url: str
) -> None:
    first = ask(loading_web, "POST", "/v1/messages", [(b"content-type", b"application/json")], BODY)
    exchange_id = dict(first.headers)[b"x-turnlog-request-id"].decode()
    until(lambda: stored(session_database_url, exchange_id), 60, "the exchange is in the history")
    done = manage(loading_web, "history", "replay", exchange_id, "--url", loading_web.url)
    assert b"--yes" in done.stderr
    missing = manage(loading_web, "history", "replay", str(uuid.UUID(int=time.time_ns() << 64)), "--yes")
    assert b"there is no exchange" in missing.stderr
