"""The measurement of the read API asks every route, and gets an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bench.read_api import measured
from gateway.history.rollups import roll_up_all
from gateway.read_api.routes import api
from tests.exchanges import Sample, keep

SESSION = [("x-claude-code-session-id", "session-alpha")]


@pytest.mark.django_db
def test_every_route_that_reads_is_asked_by_both() -> None:
    began = datetime.now(UTC) - timedelta(hours=5)
    said = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    keep([Sample(said, team="alpha", at=began + timedelta(minutes=at), request_headers=SESSION) for at in range(3)])
    roll_up_all()
    found = [(name.partition("?")[0].partition(" ")[0], who, times) for name, who, times in measured(2, "")]
    document = api.get_openapi_schema()["paths"]
    reads = {path.removeprefix("/api/v1/") for path, methods in document.items() if "get" in methods} - {"settings"}
    asked = {path.replace("{request_id}", "ID").replace("{session_id}", "ID") for path in reads}
    for who in ("admin", "one team"):
        assert {name for name, by, _ in found if by == who} == asked
    assert all(len(times) == 2 for _, _, times in found)
