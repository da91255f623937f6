"""The admin of providers, routes and keys: what it takes, what it refuses, and what it never shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from gateway.configuration.building import build_snapshot
from gateway.configuration.sealing import access_key_pepper, unseal
from gateway.configuration.tables import stored_version
from gateway.models import ApiKey, ConfigurationRevision, Credential, ModelRoute, Provider
from gateway.policy.keys import digest_key, is_well_formed

pytestmark = pytest.mark.django_db

SECRET = "sk-ant-api03-canary-of-the-admin"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def defaults(model: type[Model]) -> dict[str, str]:
    """What an untouched form sends of the columns that have a default."""
    found: dict[str, str] = {}
    for column in model._meta.get_fields():
        default = column.get_default() if getattr(column, "concrete", False) and not column.many_to_many else None
        if isinstance(default, bool):
            found |= {column.name: "on"} if default else {}
        elif isinstance(default, str | int | float):
            found[column.name] = str(default)
    return found


def inline(prefix: str) -> dict[str, str]:
    names = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "1000"}
    return {f"{prefix}-{name}": value for name, value in names.items()}


KEY_FORM = {"name": "ada", "enabled": "on", "priority": "0"}


def provider_form(secret: str = SECRET, **changes: str) -> dict[str, str]:
    form = defaults(Provider) | {"name": "mirror", "dialect": "anthropic", "address": "https://mirror.example/v1/"}
    managed = inline("credentials") | {"credentials-TOTAL_FORMS": "1"}
    row = {"credentials-0-name": "main", "credentials-0-secret": secret, "credentials-0-enabled": "on"}
    return form | managed | row | changes


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
    form: dict[str, Any] = defaults(ModelRoute) | inline("targets")
    form |= {"match": "claude-*", "provider": provider.pk, "model": "", "position": 3, "enabled": "on"}
    assert staff.post("/admin/gateway/modelroute/add/", form | {"match": "claude opus"}).status_code == 200
    assert staff.post("/admin/gateway/modelroute/add/", form).status_code == 302
    assert ModelRoute.objects.get().match == "claude-*"
    assert "a route claude-* already" in staff.post("/admin/gateway/modelroute/add/", form).content.decode()
    assert staff.get("/admin/gateway/modelroute/").status_code == 200


def test_a_key_is_shown_once_and_opens_the_gateway(staff: Client) -> None:
    answer = staff.post("/admin/gateway/apikey/add/", KEY_FORM, follow=True)
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
    staff.post("/admin/gateway/apikey/add/", KEY_FORM, follow=True)
    key = ApiKey.objects.get()
    answer = staff.post(
        f"/admin/gateway/apikey/{key.pk}/change/", KEY_FORM | {"name": "grace", "enabled": ""}, follow=True
    )
    assert "shown this once" not in answer.content.decode()
    before = bytes(key.digest)
    key.refresh_from_db()
    assert (key.name, key.enabled, bytes(key.digest)) == ("grace", False, before)


def test_lists_and_tables_are_written_as_lines(staff: Client) -> None:
    provider = Provider.objects.get(name="anthropic")
    lines: dict[str, Any] = {"teams": "search\n\n web \n", "headers": "x-project: web-*\nX-Other: 1"}
    form: dict[str, Any] = defaults(ModelRoute) | inline("targets") | lines
    form |= {"match": "claude-*", "provider": provider.pk, "enabled": "on", "dialects": "anthropic"}
    assert staff.post("/admin/gateway/modelroute/add/", form).status_code == 302
    route = ModelRoute.objects.get()
    assert (route.teams, route.headers) == (["search", "web"], {"x-project": "web-*", "X-Other": "1"})
    page = staff.get(f"/admin/gateway/modelroute/{route.pk}/change/").content.decode()
    assert "search\nweb</textarea>" in page
    wrong = staff.post("/admin/gateway/modelroute/add/", form | {"match": "b", "dialects": "gemini", "headers": "x"})
    text = wrong.content.decode()
    assert "gemini: each is one of" in text
    assert "needs the form name: value" in text


def test_each_change_is_a_version_with_its_author_and_can_be_gone_back_to(staff: Client) -> None:
    staff.post("/admin/gateway/provider/add/", provider_form())
    first, latest = ConfigurationRevision.objects.order_by("pk")
    assert (latest.author_name, first.author_name) == ("root", "turnlog")
    assert "+- name: mirror" in latest.difference
    assert SECRET not in latest.difference + latest.document
    mirror = Provider.objects.get(name="mirror")
    staff.post(f"/admin/gateway/provider/{mirror.pk}/delete/", {"post": "yes"})
    assert not Provider.objects.filter(name="mirror").exists()
    page = f"/admin/gateway/configurationrevision/{latest.pk}/change/"
    shown = staff.get(page).text
    assert "Go back to this version" in shown
    assert 'name="go_back"' in shown, "the button is not what is looked for when it comes back"
    assert 'name="_save"' not in shown
    assert staff.post(page, {"go_back": "1"}).status_code == 302
    assert unseal(Credential.objects.get(provider__name="mirror").ciphertext) == SECRET
    assert ConfigurationRevision.objects.first().note == f"back to version {latest.pk}"  # type: ignore[union-attr]


def test_a_save_that_changes_nothing_is_no_version(staff: Client) -> None:
    staff.post("/admin/gateway/provider/add/", provider_form())
    before = ConfigurationRevision.objects.count()
    staff.get("/admin/gateway/provider/")
    staff.post("/admin/gateway/provider/add/", provider_form(name="Wrong Name"))
    assert ConfigurationRevision.objects.count() == before


def act(staff: Client, model: str, action: str, *rows: Any) -> str:
    """Run an action of a list; what the page says then."""
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    return staff.post(f"/admin/gateway/{model}/", form, follow=True).content.decode()


def test_a_rotated_key_opens_beside_the_former_one(staff: Client) -> None:
    shown = staff.post("/admin/gateway/apikey/add/", KEY_FORM, follow=True).content.decode()
    former = re.findall(r"tl_[0-9A-Za-z]{49}", shown)[0]
    key = ApiKey.objects.get()
    new = re.findall(r"tl_[0-9A-Za-z]{49}", act(staff, "apikey", "rotate", key))[0]
    callers = build_snapshot({}).callers
    for text in (former, new):
        assert callers[digest_key(access_key_pepper(), text.encode())].name == "ada"
    assert callers[digest_key(access_key_pepper(), former.encode())].expires_at is not None
    act(staff, "apikey", "revoke", key)
    assert all(caller.revoked for caller in build_snapshot({}).callers.values())


def test_credentials_are_blocked_and_unblocked(staff: Client) -> None:
    staff.post("/admin/gateway/provider/add/", provider_form())
    credential = Credential.objects.get()
    act(staff, "credential", "block", credential)
    assert build_snapshot({}).providers["mirror"].credentials[0].blocked_until == float("inf")
    act(staff, "credential", "unblock", credential)
    assert build_snapshot({}).providers["mirror"].credentials[0].blocked_until == 0.0


def test_a_breaker_is_held_with_a_reason(staff: Client) -> None:
    provider = Provider.objects.get(name="anthropic")
    form = {"provider": provider.pk, "model": "", "state": "open", "reason": "the incident of today"}
    assert staff.post("/admin/gateway/breakerhold/add/", form).status_code == 302
    (held,) = build_snapshot({}).holds
    assert (held.provider, held.is_open, held.reason) == ("anthropic", True, "the incident of today")


PAGES = (
    "provider", "credential", "modelroute", "outboundproxy", "team", "apikey", "member", "gatewaysettings",
    "configurationrevision", "breakerhold", "breakertransition", "fleetstate",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_list_opens(staff: Client, page: str) -> None:
    assert staff.get(f"/admin/gateway/{page}/").status_code == 200


@pytest.mark.parametrize("page", PAGES[:10])
def test_every_form_opens(staff: Client, page: str) -> None:
    expected = 403 if page in ("credential", "configurationrevision") else 200
    assert staff.get(f"/admin/gateway/{page}/add/").status_code == expected
