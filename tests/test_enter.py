"""The one-time sign-in link."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from proxy_project.enter import entry_path

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator() -> User:
    return User.objects.create_superuser("admin", password=None)


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_link_signs_in_once(client: Client, administrator: User) -> None:
    path = entry_path(administrator)
    response = client.get(path)
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert signed_in(client)
    other = Client()
    assert other.get(path).status_code == 403
    assert not signed_in(other)


def test_a_link_that_is_only_looked_at_stays_good(client: Client, administrator: User) -> None:
    path = entry_path(administrator)
    assert client.head(path).status_code == 200
    assert not signed_in(client)
    assert client.get(path).status_code == 302


def test_any_sign_in_ends_the_link(client: Client, administrator: User) -> None:
    path = entry_path(administrator)
    client.get(entry_path(administrator))
    assert Client().get(path).status_code == 403


def test_the_link_ends_with_the_day(client: Client, administrator: User) -> None:
    path = entry_path(administrator)
    with override_settings(PASSWORD_RESET_TIMEOUT=-1):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", ["/enter/MQ/abc-def/", "/enter/!/x/", "/enter/OTk5OTk5/abc-def/", "/enter/eA/x/"])
def test_a_link_that_was_made_up_is_refused(client: Client, administrator: User, path: str) -> None:
    assert client.get(path).status_code == 403
    assert not signed_in(client)


def test_a_disabled_account_is_not_let_in(client: Client, administrator: User) -> None:
    path = entry_path(administrator)
    User.objects.update(is_active=False)
    assert client.get(path).status_code == 403


def test_nothing_is_posted_to_the_link(client: Client, administrator: User) -> None:
    assert client.post(entry_path(administrator)).status_code == 405
