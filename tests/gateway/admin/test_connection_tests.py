"""The actions that ask a provider whether it answers, and a credential whether it is taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db.models import Model
from django.test import Client

from gateway.configuration.applying import apply_document
from gateway.configuration.document import read_document
from gateway.models import Credential, Provider
from tests.conftest import free_port
from tests.e2e.processes import ProviderThread
from tests.upstream import FakeProvider

pytestmark = pytest.mark.django_db

DOCUMENT = """
providers:
- {{name: good, dialect: anthropic, address: "{url}", credentials: [{{name: one, secret: key-of-good}}]}}
- {{name: closed, dialect: openai, address: "{url}", extra_headers: {{x-scenario: error_401}},
   credentials: [{{name: bad, secret: key-of-closed}}]}}
- {{name: gone, dialect: anthropic, address: "http://127.0.0.1:{port}", keyless: true}}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        yield provider


@pytest.fixture(autouse=True)
def configured(db: None, upstream: FakeProvider) -> None:
    upstream.requests.clear()
    apply_document(read_document(DOCUMENT.format(url=upstream.url, port=free_port())), {})


def said(admin: Client, model: type[Model], action: str, name: str) -> str:
    """The page's answer to an action on the row of this name."""
    row = model._default_manager.get(name=name)
    place = f"/admin/gateway/{model._meta.model_name}/"
    page = admin.post(place, {"action": action, "_selected_action": [row.pk]}, follow=True)
    return "\n".join(str(message) for message in page.context["messages"])


@pytest.mark.parametrize(
    ("name", "words"),
    [("good", "status 200 after"), ("closed", "status 401 after"), ("gone", "connection refused")],
)
def test_a_provider_is_asked_for_its_models(admin: Client, name: str, words: str) -> None:
    told = said(admin, Provider, "test_connection", name)
    assert told.startswith(f"{name}: GET /v1/models")
    assert words in told


@pytest.mark.parametrize(("name", "header", "words"), [("one", "x-api-key", "200"), ("bad", "authorization", "401")])
def test_a_credential_is_tried(admin: Client, upstream: FakeProvider, name: str, header: str, words: str) -> None:
    told = said(admin, Credential, "test_credentials", name)
    assert f"status {words} after" in told
    assert "key-of" not in told
    [asked] = upstream.requests
    assert b"key-of-" in (asked.header(header) or b"")


def test_a_credential_that_is_switched_off_is_not_tried(admin: Client, upstream: FakeProvider) -> None:
    Credential.objects.update(enabled=False)
    assert "switched off" in said(admin, Credential, "test_credentials", "one")
    assert not upstream.requests
