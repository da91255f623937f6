"""/metrics of the real processes, read by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.wire import Pairs, ask

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]
MODEL = "claude-opus-5-5"
BODY = b'{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}'

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(web: WebProcess, headers: Pairs = ()) -> Samples:
    answer = ask(web, "GET", "/metrics", list(headers))
    assert answer.status == 200, answer.body
    assert answer.header(b"content-type").startswith(b"text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def total(found: Samples, name: str, **labels: str) -> float | None:
    """The sum of what has these labels; None: there is none."""
    values = [value for (each, pairs), value in found.items() if each == name and labels.items() <= dict(pairs).items()]
    return sum(values) if values else None


@pytest.fixture
def web(tmp_path: Path, database_url: str, upstreams: dict[str, str]) -> Iterator[WebProcess]:
    with running_web(tmp_path, database_url, **upstreams) as web:
        yield web


def test_without_a_loader_it_tells_of_the_web_process(web: WebProcess) -> None:
    found = until(lambda: (now := samples(web)) and total(now, "turnlog_processes") and now, 20)
    assert total(found, "turnlog_database_up") == 1
    assert total(found, "turnlog_processes", role="web") == 1
    assert total(found, "turnlog_requests_in_flight") == 0
    assert total(found, "turnlog_process_resident_memory_bytes") > 10_000_000
    assert total(found, "turnlog_requests_total") is None
    assert any(name == "turnlog_build_info" for name, _ in found)
