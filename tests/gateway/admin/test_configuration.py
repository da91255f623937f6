"""The admin of providers, routes and keys: what it takes, what it refuses, and what it never shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.configuration.building import build_snapshot
from gateway.configuration.sealing import access_key_pepper, unseal
from gateway.configuration.tables import stored_version
from gateway.models import ApiKey, Credential, ModelRoute, Provider
from gateway.policy.keys import digest_key, is_well_formed

pytestmark = pytest.mark.django_db

SECRET = "sk-ant-api03-canary-of-the-admin"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def provider_form(secret: str = SECRET, **changes: str) -> dict[str, str]:
    form = {"name": "mirror", "dialect": "anthropic", "address": "https://mirror.example/v1/"}
    inline = {"TOTAL_FORMS": "1", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "1000"}
    row = {"credentials-0-name": "main", "credentials-0-secret": secret, "credentials-0-enabled": "on"}
    return form | {f"credentials-{name}": value for name, value in inline.items()} | row | changes


def test_a_provider_and_its_secret_are_stored_encrypted(staff: Client) -> None:
    before = stored_version()
    answer = staff.post("/admin/gateway/provider/add/", provider_form())
    assert answer.status_code == 302
    credential = Credential.objects.get()
    assert unseal(credential.ciphertext) == SECRET
    assert SECRET.encode() not in bytes(credential.ciphertext)
    assert build_snapshot({}).providers["mirror"].address == "https://mirror.example"
    assert stored_version() > before


def test_a_secret_is_never_shown_again_and_kept_when_left_empty(staff: Client) -> None:
    staff.post("/admin/gateway/provider/add/", provider_form())
    credential = Credential.objects.get()
    url = f"/admin/gateway/provider/{credential.provider_id}/change/"
    page = staff.get(url).content.decode()
    assert SECRET not in page
    assert f"…{SECRET[-4:]}" in page
    assert credential.fingerprint in page
    changed = provider_form(
        secret="",
        **{
            "credentials-INITIAL_FORMS": "1",
            "credentials-0-id": str(credential.pk),
            "credentials-0-provider": str(credential.provider_id),
            "credentials-0-name": "renamed",
        },
    )
    assert staff.post(url, changed).status_code == 302
    credential.refresh_from_db()
    assert (credential.name, unseal(credential.ciphertext)) == ("renamed", SECRET)
    changed["credentials-0-secret"] = "sk-ant-api03-another-one"
    assert staff.post(url, changed).status_code == 302
    credential.refresh_from_db()
    assert unseal(credential.ciphertext) == "sk-ant-api03-another-one"


REFUSED = {
    "no address": ({"address": ""}, "needs an address"),
    "an address that is none": ({"address": "mirror"}, "needs the form"),
    "a user in the address": ({"address": "https://u:p@mirror"}, "must not hold a user name"),
    "a default of the other dialect": ({"name": "openai"}, "speaks openai"),
    "a credential without a secret": ({"credentials-0-secret": ""}, "needs its secret"),
    "a secret with a blank": ({"credentials-0-secret": "a b c"}, "printable ASCII"),
    "a name with capitals": ({"name": "Mirror"}, "lower-case"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_provider_is_refused_with_the_reason(staff: Client, changes: dict[str, str], words: str) -> None:
    Provider.objects.all().delete()
    answer = staff.post("/admin/gateway/provider/add/", provider_form(**changes))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Provider.objects.exists()


def test_the_default_providers_are_there_and_need_no_address(staff: Client) -> None:
    assert set(Provider.objects.values_list("name", "address")) == {("anthropic", ""), ("openai", "")}
    provider = Provider.objects.get(name="anthropic")
    form = provider_form(name="anthropic", address="")
    assert staff.post(f"/admin/gateway/provider/{provider.pk}/change/", form).status_code == 302
    anthropic = build_snapshot({}).providers["anthropic"]
    assert (anthropic.address, anthropic.credential) == ("https://api.anthropic.com", SECRET)


def test_a_route_is_made_and_a_blank_in_it_refused(staff: Client) -> None:
    provider = Provider.objects.create(name="mirror", dialect="anthropic", address="https://mirror.example")
    form: dict[str, Any] = {"match": "claude-*", "provider": provider.pk, "model": "", "position": 3, "enabled": "on"}
    assert staff.post("/admin/gateway/modelroute/add/", form | {"match": "claude opus"}).status_code == 200
    assert staff.post("/admin/gateway/modelroute/add/", form).status_code == 302
    assert ModelRoute.objects.get().match == "claude-*"
    assert staff.get("/admin/gateway/modelroute/").status_code == 200


def test_a_key_is_shown_once_and_opens_the_gateway(staff: Client) -> None:
    answer = staff.post("/admin/gateway/apikey/add/", {"name": "ada", "enabled": "on"}, follow=True)
    shown = re.findall(r"tl_[0-9A-Za-z]{49}", answer.content.decode())
    assert len(set(shown)) == 1
    assert is_well_formed(shown[0])
    snapshot = build_snapshot({})
    assert snapshot.keyed
    assert snapshot.callers[digest_key(access_key_pepper(), shown[0].encode())].name == "ada"
    key = ApiKey.objects.get()
    for url in ("/admin/gateway/apikey/", f"/admin/gateway/apikey/{key.pk}/change/"):
        page = staff.get(url).content.decode()
        assert shown[0] not in page
        assert key.hint in page


def test_saving_a_key_again_keeps_it(staff: Client) -> None:
    staff.post("/admin/gateway/apikey/add/", {"name": "ada", "enabled": "on"}, follow=True)
    key = ApiKey.objects.get()
    answer = staff.post(f"/admin/gateway/apikey/{key.pk}/change/", {"name": "grace"}, follow=True)
    assert "shown this once" not in answer.content.decode()
    before = bytes(key.digest)
    key.refresh_from_db()
    assert (key.name, key.enabled, bytes(key.digest)) == ("grace", False, before)
