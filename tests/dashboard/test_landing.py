"""The page a browser gets at the gateway's address."""

from __future__ import annotations

import html

import pytest
from django.db import DatabaseError
from django.test import Client

from gateway.models import ApiKey

pytestmark = pytest.mark.django_db


def landing(**headers: str) -> str:
    response = Client().get("/", headers=headers)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_the_lines_name_the_address_it_was_asked_under() -> None:
    text = landing(host="localhost:9999")
    assert "export ANTHROPIC_BASE_URL=http://localhost:9999\n" in text
    assert 'base_url = "http://localhost:9999/v1"' in text
    assert "export OPENAI_BASE_URL=http://localhost:9999/v1\n" in text


def test_it_knows_the_settings_each_client_needs() -> None:
    text = landing()
    for line in (
        "export CLAUDE_CODE_GATEWAY_HINT_HEADERS=1",
        "export ENABLE_TOOL_SEARCH=true",
        'wire_api = "responses"',
    ):
        assert line in text


def test_in_open_mode_it_asks_for_the_caller_s_own_key() -> None:
    assert "it is passed on to the provider" in landing()


def test_in_keyed_mode_it_asks_for_a_key_of_its_own() -> None:
    ApiKey.objects.create(name="a", digest=b"x")
    assert "asks for a key of its own" in landing()
    assert "ANTHROPIC_AUTH_TOKEN" in landing()


def test_it_stands_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> bool:
        raise DatabaseError

    monkeypatch.setattr(ApiKey.objects, "exists", away)
    assert "Claude Code" in landing()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1@evil.example", "localhost/<script>"])
def test_a_foreign_host_is_refused(host: str) -> None:
    assert Client().get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_it_is_only_read(method: str) -> None:
    assert getattr(Client(enforce_csrf_checks=False), method)("/").status_code == 405


def test_it_leads_to_the_admin() -> None:
    assert 'href="/admin/gateway/requestlog/"' in landing()


def test_the_icon_browsers_ask_for_by_themselves_is_found(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Location"].endswith("favicon.svg")) == (302, True)
