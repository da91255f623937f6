"""Signing in by an OpenID Connect provider, in a browser: the provider is a process of its own on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.trouble import Trouble
from tests.conftest import free_port
from tests.e2e.configured import manage
from tests.e2e.processes import WebProcess, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CALLBACK = "accounts/oidc/sso/login/callback/"
KNOWN = [
    {"sub": "s-1", "preferred_username": "nell", "email": "nell@acme.example", "email_verified": True},
    {"sub": "s-2", "preferred_username": "omar", "email": "omar@acme.example", "email_verified": True},
    {"sub": "s-3", "preferred_username": "pia", "email": "rosa@acme.example", "email_verified": False},
]
THERE_BEFORE = """
from django.contrib.auth.models import User
for name in ("quentin", "rosa"):
    User.objects.create_user(name, email={"quentin": "omar@acme.example", "rosa": "rosa@acme.example"}[name])
"""
GIVE_A_PLACE = """
from django.contrib.auth.models import User
from gateway.models import Member
Member.objects.create(user=User.objects.get(username="nell"), team=None, role="ops")
"""
COUNT = """
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
for account in SocialAccount.objects.select_related("user").order_by("uid"):
    print("account", account.uid, account.user.username)
print("users", *sorted(User.objects.values_list("username", flat=True)))
"""


class Signing(NamedTuple):
    web: WebProcess
    provider_url: str


@contextmanager
def provider(directory: Path) -> Iterator[str]:
    """Its address. By name, because cookies do not tell the ports of one address apart."""
    port = free_port()
    url = f"http://localhost:{port}"
    claims = [word for known in KNOWN for word in ("--user-claims", json.dumps(known))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-registration", *claims]
    # It warns of what it uses itself, and the tests take a warning for an error.
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    with (directory / "provider.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: answers(f"{url}/.well-known/openid-configuration"), 60, "the provider is there")
            yield url
        finally:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def signing(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Signing]:
    """Turnlog is registered there under its own address, and must give the secret it got."""
    port, directory = free_port(), tmp_path_factory.mktemp("sign-on")
    with provider(directory) as url:
        told: dict[str, Any] = {
            "redirect_uris": [f"http://127.0.0.1:{port}/{CALLBACK}"],
            "token_endpoint_auth_method": "client_secret_basic",
        }
        registered = httpx.post(f"{url}/oauth2/clients", json=told).raise_for_status().json()
        environment = {
            "TURNLOG_OIDC_URL": url,
            "TURNLOG_OIDC_CLIENT_ID": registered["client_id"],
            "TURNLOG_OIDC_CLIENT_SECRET": registered["client_secret"],
            "TURNLOG_OIDC_NAME": "Acme",
        }
        web = WebProcess(directory, session_database_url, **upstreams, **environment)
        manage(web, "collectstatic", "--noinput")
        manage(web, "shell", "-c", THERE_BEFORE)
        try:
            web.start("--port", str(port))
            yield Signing(web, url)
        finally:
            web.stop()


def at_the_provider(signing: Signing, browser: Browser, trouble: Trouble) -> Page:
    """A fresh browser that was sent to sign in, and went on to the provider."""
    page = browser.new_context(base_url=signing.web.url).new_page()
    trouble.watch(page)
    page.goto("/d/health/")
    page.get_by_role("link", name="Continue with Acme").click()
    expect(page.get_by_role("heading", name="Authorize Client")).to_be_visible()
    assert page.url.startswith(signing.provider_url)
    assert page.evaluate("window.refused") == []
    trouble.said.clear()  # the provider's page has no icon
    return page


def test_who_the_provider_knows_signs_in_sees_nothing_and_then_what_they_are_given(
    signing: Signing, browser: Browser, trouble: Trouble
) -> None:
    page = at_the_provider(signing, browser, trouble)
    page.get_by_role("button", name="s-1").click()
    expect(page.get_by_text("Ask an administrator to add you")).to_be_visible()
    assert page.url == f"{signing.web.url}/d/health/"
    trouble.said.clear()  # that page is a 403
    manage(signing.web, "shell", "-c", GIVE_A_PLACE)
    page.goto("/d/health/")
    expect(page.get_by_role("heading", level=1)).to_have_text("System health")
    page.locator(".sh-user summary").click()
    expect(page.locator(".sh-user")).to_contain_text("nell")
    page.get_by_role("button", name="Sign out").click()
    page.context.close()
    again = at_the_provider(signing, browser, trouble)
    again.get_by_role("button", name="s-1").click()
    expect(again.get_by_role("heading", level=1)).to_have_text("System health")
    trouble.expect_none(again)
    again.context.close()
    assert manage(signing.web, "shell", "-c", COUNT).count("account s-1 nell") == 1


def test_a_verified_address_leads_to_the_account_that_has_it_and_another_does_not(
    signing: Signing, browser: Browser, trouble: Trouble
) -> None:
    for sub in ("s-2", "s-3"):
        page = at_the_provider(signing, browser, trouble)
        page.get_by_role("button", name=sub).click()
        page.wait_for_url(f"{signing.web.url}/**")
        trouble.said.clear()
        page.context.close()
    said = manage(signing.web, "shell", "-c", COUNT)
    assert "account s-2 quentin" in said
    assert "account s-3 rosa" not in said


def test_who_is_refused_there_is_not_let_in_here(signing: Signing, browser: Browser, trouble: Trouble) -> None:
    page = at_the_provider(signing, browser, trouble)
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url(f"{signing.web.url}/accounts/**")
    expect(page.locator(".ac-card")).to_be_visible()
    page.goto("/d/health/")
    assert "/accounts/login/" in page.url
    page.context.close()


def test_an_answer_nobody_asked_for_lets_nobody_in(signing: Signing) -> None:
    with httpx.Client(base_url=signing.web.url, follow_redirects=True) as client:
        client.get(f"/{CALLBACK}?code=made-up&state=made-up")
        assert client.get("/d/health/").url.path == "/accounts/login/"
