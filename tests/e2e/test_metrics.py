"""/metrics of the real processes, read by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.models import Limit, Provider
from gateway.policy.limits import Scope
from tests.e2e.processes import WebProcess, beside, running_web, until
from tests.e2e.wire import Pairs, Wire, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]
BODY = b'{"model":"claude-opus-5-5","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hello"}]}'
OF_A_PROCESS = "turnlog_process_", "turnlog_event_loop_", "turnlog_recorder_"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(web: WebProcess, headers: Pairs = ()) -> Samples:
    answer = ask(web, "GET", "/metrics", list(headers))
    assert answer.status == 200, answer.body
    assert (answer.header(b"content-type") or b"").startswith(b"text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def total(found: Samples, name: str, **labels: str) -> float | None:
    """The sum of what has these labels; None: there is none."""
    values = [value for (each, pairs), value in found.items() if each == name and labels.items() <= dict(pairs).items()]
    return sum(values) if values else None


def wait_for(web: WebProcess, name: str, value: float | None, **labels: str) -> Samples:
    """What is shown when this sample has come to that value."""
    seen: Samples = {}

    def is_so() -> bool:
        seen.clear()
        seen.update(samples(web))
        return total(seen, name, **labels) == value

    until(is_so, 60, f"{name} = {value}")
    return seen


def ask_model(web: WebProcess, body: bytes = BODY) -> int:
    return ask(web, "POST", "/v1/messages", HEADERS, body).status


@pytest.fixture
def web(tmp_path: Path, database_url: str, upstreams: dict[str, str]) -> Iterator[WebProcess]:
    with running_web(tmp_path, database_url, **upstreams) as web:
        yield web


@pytest.mark.timeout(400)
def test_two_processes_and_their_successors_give_one_right_answer(
    web: WebProcess, tmp_path: Path, database_url: str, upstreams: dict[str, str], provider: FakeProvider
) -> None:
    (tmp_path / "second").mkdir()
    environment = upstreams | {"TURNLOG_DATA_DIR": str(web.data_dir)}
    with beside(web, "loader"), running_web(tmp_path / "second", database_url, **environment) as second:
        for one in (web, web, second):
            assert ask_model(one) == 200
        wait_for(web, "turnlog_processes", 2, role="web")
        wait_for(web, "turnlog_processes", 1, role="loader")
        first_seen = wait_for(web, "turnlog_requests_total", 3, status="2xx", endpoint="/v1/messages")
        then_seen = wait_for(second, "turnlog_requests_total", 3)
        counters = [
            {key: value for key, value in seen.items() if "_total" in key[0] or "_bucket" in key[0]}
            for seen in (first_seen, then_seen)
        ]
        assert counters[0] == counters[1]
        assert total(first_seen, "turnlog_request_duration_seconds_count") == 3
        assert total(first_seen, "turnlog_records_stored_total") == 3
        assert total(first_seen, "turnlog_processes", role="loader") == 1
        assert total(first_seen, "turnlog_tokens_total", kind="output") > 0
        assert total(first_seen, "turnlog_dead_letters") == 0

        with Wire(web) as held:
            held.request("POST", b"/v1/messages", [*HEADERS, (b"x-scenario", b"silence")], BODY)
            assert held.head().status == 200
            wait_for(second, "turnlog_requests_in_flight", 1)
            assert web.process is not None
            web.process.kill()
            web.wait()
        wait_for(second, "turnlog_requests_in_flight", 0)
        wait_for(second, "turnlog_processes", 1, role="web")

        web.start()
        assert ask_model(web) == 200
        wait_for(web, "turnlog_requests_total", 1, outcome="interrupted")
        later = wait_for(web, "turnlog_requests_total", 5)
        for key, value in first_seen.items():
            if "_total" in key[0] or key[0].endswith(("_bucket", "_count")):
                assert later[key] >= value, key


def test_a_model_that_nobody_configured_is_other(web: WebProcess, provider: FakeProvider) -> None:
    body = BODY.replace(b"claude-opus-5-5", b"my-secret-project")
    failing = [*HEADERS, (b"x-scenario", b"error_500")]
    labels = {"provider": "anthropic", "model": "other"}
    for _ in range(5):
        assert ask(web, "POST", "/v1/messages", failing, body).status == 500
    seen = wait_for(web, "turnlog_breaker_transitions_total", 1, **labels, to="open")
    assert "secret" not in str(seen)
    seen = wait_for(web, "turnlog_breaker_state", 1, **labels, state="open")
    assert "secret" not in str(seen)


def test_what_is_refused_by_a_limit_is_counted(web: WebProcess, provider: FakeProvider) -> None:
    Limit.objects.create(name="few", scope=Scope.EVERYTHING.value, requests_per_minute=1)
    until(lambda: ask_model(web) == 429, what="the limit")
    seen = wait_for(web, "turnlog_limit_refusals_total", 1, limit="few", why="full")
    assert total(seen, "turnlog_database_up") == 1


def test_a_queue_is_seen_and_what_it_refuses_is_counted(web: WebProcess, provider: FakeProvider) -> None:
    Provider.objects.filter(name="anthropic").update(max_in_flight=1, queue_size=1, queue_longest_wait=120)
    until(
        lambda: total(samples(web), "turnlog_queue_size", provider="anthropic") or ask_model(web) != 200, 60, "a queue"
    )
    with Wire(web) as first, Wire(web, timeout=60) as second:
        first.request("POST", b"/v1/messages", [*HEADERS, (b"x-scenario", b"silence")], BODY)
        assert first.head().status == 200
        second.request("POST", b"/v1/messages", HEADERS, BODY)
        seen = wait_for(web, "turnlog_queue_waiting", 1, provider="anthropic")
        assert total(seen, "turnlog_queue_running") == 1
        assert ask_model(web) == 529
        wait_for(web, "turnlog_queue_refusals_total", 1, provider="anthropic", why="full")
        first.socket.close()
        assert second.answer().status == 200
    seen = wait_for(web, "turnlog_queue_wait_seconds_count", 1, provider="anthropic")
    assert total(seen, "turnlog_queue_wait_seconds_sum", provider="anthropic") > 0
    wait_for(web, "turnlog_queue_running", 0, provider="anthropic")


def test_without_postgres_it_says_so_and_tells_of_the_process_that_is_asked(
    tmp_path: Path, upstreams: dict[str, str]
) -> None:
    away = "postgresql://turnlog@127.0.0.1:9/turnlog"
    with running_web(tmp_path, away, **upstreams) as web:
        seen = samples(web)
        assert total(seen, "turnlog_database_up") == 0
        assert total(seen, "turnlog_requests_in_flight") == 0
        assert total(seen, "turnlog_process_resident_memory_bytes") > 10_000_000
        assert total(seen, "turnlog_configuration_read") == 0
        assert not [name for name, _ in seen if name.endswith("_total")]


def test_who_may_scrape(tmp_path: Path, session_database_url: str, upstreams: dict[str, str], web: WebProcess) -> None:
    forwarded = ask(web, "GET", "/metrics", [(b"x-forwarded-for", b"203.0.113.7")])
    assert (forwarded.status, b"TURNLOG_METRICS_TOKEN" in forwarded.body) == (403, True)
    assert ask(web, "HEAD", "/metrics").status == 200
    (tmp_path / "guarded").mkdir()
    (tmp_path / "token").write_text("scrape-me\n")
    settings = upstreams | {"TURNLOG_METRICS_TOKEN_FILE": str(tmp_path / "token"), "TURNLOG_ROLES": "dashboard"}
    with running_web(tmp_path / "guarded", session_database_url, **settings) as guarded:
        assert ask(guarded, "GET", "/metrics").status == 401
        assert ask(guarded, "GET", "/metrics", [(b"authorization", b"Bearer scrape-m")]).status == 401
        behind_proxy: Pairs = [(b"authorization", b"Bearer scrape-me"), (b"x-forwarded-for", b"203.0.113.7")]
        assert total(samples(guarded, behind_proxy), "turnlog_database_up") == 1
        assert "scrape-me" not in guarded.output
