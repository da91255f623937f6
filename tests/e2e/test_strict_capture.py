"""CAPTURE_POLICY=strict: where the history cannot be kept, nothing is served, and that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.processes import running_web, until
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-mine"), (b"Content-Type", b"application/json")]


@pytest.mark.parametrize(("policy", "status"), [("strict", 503), ("available", 200)])
def test_a_full_spool(
    session_database_url: str,
    upstreams: dict[str, str],
    provider: FakeProvider,
    tmp_path: Path,
    policy: str,
    status: int,
) -> None:
    environment = upstreams | {"TURNLOG_CAPTURE_POLICY": policy, "TURNLOG_SPOOL_MAX_BYTES": "20000"}
    with running_web(tmp_path, session_database_url, **environment) as web:
        body = json.dumps({"model": "m", "x": "y" * 30_000}).encode()
        assert ask(web, "POST", "/v1/messages", HEADERS, body).status == 200
        until(lambda: b"cannot be kept" in ask(web, "GET", "/readyz").body, 60, "the notice of the full spool")
        provider.requests.clear()
        answer = ask(web, "POST", "/v1/messages", HEADERS, body)
        assert answer.status == status
        assert ask(web, "GET", "/readyz").status == status
        assert bool(provider.requests) == (status == 200)
        if status == 503:
            assert int(answer.header(b"retry-after") or 0) > 0
            assert json.loads(answer.body)["error"]["type"] == "api_error"
