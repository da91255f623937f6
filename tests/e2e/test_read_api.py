"""The read API of a running process: with the pages, not behind the gateway's door."""

from __future__ import annotations

import json

import pytest

from gateway.api.paths import is_gateway_path
from tests.e2e.processes import WebProcess
from tests.e2e.wire import ask


def test_it_is_served_and_says_who_may_ask(web: WebProcess) -> None:
    document = ask(web, "GET", "/api/v1/openapi.json")
    assert document.status == 200
    assert "/api/v1/stats/hourly" in json.loads(document.body)["paths"]
    for method, path in (("GET", "/api/v1/requests/summary"), ("GET", "/api/v1/stats/models")):
        answer = ask(web, method, path)
        assert answer.status == 401
        assert set(json.loads(answer.body)) == {"error", "details"}


@pytest.mark.parametrize(
    "path", ["/api/v1/messages", "/api/v1/models", "/api/v1/requestsx", "/api/hello", "/api/oauth/usage"]
)
def test_what_clients_ask_a_provider_stays_the_gateways(path: str) -> None:
    assert is_gateway_path("GET", path)
