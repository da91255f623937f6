"""One sign-in for all pages: password, second factor, limits, and what is written down of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client, RequestFactory

from dashboard.accounts.adapters import AccountAdapter
from proxy_project.environment import load_environment

pytestmark = pytest.mark.django_db
SIGN_IN = "/accounts/login/"


@pytest.fixture(autouse=True)
def lead() -> User:
    cache.clear()
    return User.objects.create_user("lead", password="a long password", is_staff=True)


def sign_in(client: Client, name: str = "lead", password: str = "a long password", **more: str) -> object:
    return client.post(SIGN_IN, {"login": name, "password": password}, **more)


def code_of(secret: str) -> str:
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06}"


def test_the_admin_s_sign_in_is_the_same_one(client: Client) -> None:
    response = client.get("/admin/gateway/requestlog/", follow=True)
    assert response.request["PATH_INFO"] == SIGN_IN
    assert 'name="login"' in response.content.decode()


def test_it_leads_to_where_one_was_going_and_nowhere_else(client: Client) -> None:
    there = client.post(f"{SIGN_IN}?next=/admin/", {"login": "lead", "password": "a long password", "next": "/admin/"})
    assert there["Location"] == "/admin/"
    other = Client()
    away = other.post(SIGN_IN, {"login": "lead", "password": "a long password", "next": "https://evil.example/"})
    assert away["Location"] == "/d/"


def test_a_name_that_does_not_exist_looks_like_a_wrong_password(client: Client) -> None:
    answers = [sign_in(client, name, "wrong").content.decode() for name in ("lead", "nobody")]
    assert "are not correct" in answers[0]
    assert [text.replace("nobody", "lead").count("not correct") for text in answers] == [1, 1]


def test_who_fails_too_often_waits_and_the_gateway_serves_on(client: Client) -> None:
    statuses = [sign_in(client, password="wrong").status_code for _ in range(7)]
    assert statuses[:5] == [200] * 5
    assert statuses[5:] == [429, 429]
    assert sign_in(client).status_code == 429
    assert Client().get("/").status_code == 200
    other = User.objects.create_user("other", password="a long password")
    assert sign_in(Client(), other.username, REMOTE_ADDR="10.9.9.9").status_code == 302


def test_a_header_the_caller_wrote_does_not_give_a_fresh_start(client: Client) -> None:
    for number in range(12):
        sign_in(client, f"user-{number}", "wrong", HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")
    assert sign_in(client, "user-x", "wrong", HTTP_X_FORWARDED_FOR="10.0.1.1").status_code == 429


def test_behind_a_proxy_only_what_it_said_itself_counts(settings: object) -> None:
    settings.TURNLOG = load_environment({"TURNLOG_BEHIND_TLS": "1"})  # type: ignore[attr-defined]
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="1.1.1.1, 2.2.2.2")
    assert AccountAdapter().get_client_ip(request) == "2.2.2.2"


def test_with_a_second_factor_the_password_is_not_enough(client: Client, lead: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(lead, secret)
    response = sign_in(client)
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/d/").status_code == 302
    done = client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert done.status_code == 302
    assert "_auth_user_id" in client.session


def test_the_secret_of_a_second_factor_is_encrypted_at_rest(lead: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(lead, secret)
    stored = Authenticator.objects.get(user=lead).data["secret"]
    assert secret not in stored
    assert get_adapter().decrypt(stored) == secret


@pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/2fa/", "/accounts/2fa/totp/activate/"])
def test_one_s_own_account_is_behind_the_sign_in(client: Client, path: str) -> None:
    assert client.get(path)["Location"].startswith(SIGN_IN)
    sign_in(client)
    assert client.get(path, follow=True).status_code == 200


def test_who_came_in_by_a_link_sets_a_password(client: Client, lead: User) -> None:
    lead.set_unusable_password()
    lead.save()
    client.force_login(lead)
    page = client.get("/accounts/password/change/", follow=True)
    assert page.request["PATH_INFO"] == "/accounts/password/set/"
    client.post("/accounts/password/set/", {"password1": "quite a long one", "password2": "quite a long one"})
    lead.refresh_from_db()
    assert lead.check_password("quite a long one")


def test_nobody_signs_up(client: Client) -> None:
    assert "No sign-up here" in client.get("/accounts/signup/").content.decode()
    client.post("/accounts/signup/", {"username": "new", "password1": "a long password"})
    assert not User.objects.filter(username="new").exists()


def test_a_post_without_its_token_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(SIGN_IN, {"login": "lead", "password": "a long password"}).status_code == 403


ASK = """
import django
django.setup()
from django.test import Client
print(Client(SERVER_NAME="127.0.0.1").get("/accounts/login/").content.decode())
"""


def test_an_identity_provider_is_offered_where_one_is_set(client: Client, database_url: str) -> None:
    assert "Continue with" not in client.get(SIGN_IN).content.decode()
    told = {
        "TURNLOG_OIDC_URL": "https://login.example.com",
        "TURNLOG_OIDC_CLIENT_ID": "us",
        "TURNLOG_OIDC_NAME": "Acme",
    }
    environment = os.environ | told | {"TURNLOG_OIDC_NAME": "Acme", "DATABASE_URL": database_url}
    page = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "Continue with Acme" in page
    assert "/accounts/oidc/sso/login/" in page
