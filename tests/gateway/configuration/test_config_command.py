"""`manage.py config`: what a file does to the tables, twice, and what is said when it is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gateway.configuration.building import build_snapshot
from gateway.configuration.document import read_document
from gateway.configuration.document_reader import WrongDocument
from gateway.configuration.sealing import access_key_pepper, unseal
from gateway.configuration.tables import stored_version
from gateway.dialects.names import Shortcut
from gateway.models import ApiKey, Credential, ModelRoute, Provider, Team
from gateway.policy.keys import digest_key

pytestmark = pytest.mark.django_db

SECRET = "sk-ant-api03-canary-secret"
KEY = "key-of-the-ci-0123456789"
DOCUMENT = f"""
providers:
  - name: mirror
    dialect: anthropic
    address: https://mirror.example/v1/
    credentials:
      - {{name: main, secret: {SECRET}}}
      - {{name: spare, secret_env: SPARE_SECRET, enabled: false}}
  - {{name: local, dialect: openai, address: "http://127.0.0.1:11434"}}
routes:
  - {{match: claude-opus-*, provider: mirror, model: claude-haiku-4-5, position: 5}}
  - {{match: 4.10, provider: local}}
  - {{match: fallback, provider: anthropic, enabled: false}}
teams:
  - name: search
api_keys:
  - {{name: ci, team: search, key_env: CI_KEY, expires_at: 2030-01-01}}
  - {{name: ada, generate: true}}
"""

Apply = Callable[..., str]


@pytest.fixture
def apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apply:
    monkeypatch.setenv("SPARE_SECRET", "sk-ant-api03-spare-secret")
    monkeypatch.setenv("CI_KEY", KEY)
    file = tmp_path / "config.yaml"

    def run(document: str, *options: str) -> str:
        file.write_text(document)
        output = io.StringIO()
        call_command("config", "apply", str(file), *options, stdout=output)
        return output.getvalue()

    return run


def exported() -> str:
    output = io.StringIO()
    call_command("config", "export", stdout=output)
    return output.getvalue()


def test_a_document_becomes_a_snapshot(apply: Apply) -> None:
    apply(DOCUMENT)
    snapshot = build_snapshot({})
    mirror = snapshot.providers["mirror"]
    assert (mirror.address, mirror.credential) == ("https://mirror.example", SECRET)
    assert snapshot.providers["local"].credential is None
    assert snapshot.providers["anthropic"].address == "https://api.anthropic.com"
    assert snapshot.exact_routes["4.10"].provider == "local"
    assert [(route.match, route.model) for route in snapshot.pattern_routes] == [("claude-opus-*", "claude-haiku-4-5")]
    assert "fallback" not in snapshot.exact_routes
    assert snapshot.keyed
    caller = snapshot.callers[digest_key(access_key_pepper(), KEY.encode())]
    assert (caller.name, caller.team, caller.expires_at) == ("ci", "search", 1893456000.0)


def test_applying_twice_changes_nothing_and_raises_no_version(apply: Apply) -> None:
    first = apply(DOCUMENT)
    assert "shown this once: tl_" in first
    version = stored_version()
    assert apply(DOCUMENT) == "0 changes\n"
    assert stored_version() == version


def test_every_change_raises_the_version(apply: Apply) -> None:
    versions = [stored_version()]
    for document in ("teams: [{name: a}]", "teams: [{name: b}]"):
        apply(document)
        versions.append(stored_version())
    Team.objects.filter(name="a").delete()
    versions.append(stored_version())
    assert versions == sorted(set(versions))


def test_an_export_shows_no_secret_and_applies_to_nothing_new(apply: Apply) -> None:
    apply(DOCUMENT)
    document = exported()
    assert SECRET not in document
    assert KEY not in document
    assert "canary" not in document
    assert apply(document, "--prune") == "0 changes\n"
    assert unseal(Credential.objects.get(name="main").ciphertext) == SECRET


def test_an_export_restores_keys_that_were_deleted(apply: Apply) -> None:
    apply(DOCUMENT)
    document = exported()
    before = bytes(ApiKey.objects.get(name="ci").digest)
    ApiKey.objects.all().delete()
    apply(document)
    assert bytes(ApiKey.objects.get(name="ci").digest) == before


def test_a_dry_run_tells_and_changes_nothing(apply: Apply) -> None:
    output = apply(DOCUMENT, "--dry-run")
    assert "+ provider mirror" in output
    assert "none made (dry run)" in output
    assert "tl_" not in output
    assert not Provider.objects.filter(name="mirror").exists()


def test_pruning_removes_what_the_sections_do_not_name(apply: Apply) -> None:
    apply(DOCUMENT)
    output = apply("routes:\n- {match: fallback, provider: anthropic}\n", "--prune", "--yes")
    assert "- route" in output
    assert list(ModelRoute.objects.values_list("match", flat=True)) == ["fallback"]
    assert Provider.objects.filter(name="mirror").exists()


def test_pruning_without_yes_and_without_a_terminal_is_refused(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    apply(DOCUMENT)
    with pytest.raises(CommandError, match="--yes"):
        apply("teams: []", "--prune")
    assert Team.objects.exists()


def test_a_secret_is_replaced_and_kept_encrypted(apply: Apply) -> None:
    apply(DOCUMENT)
    output = apply(DOCUMENT.replace(SECRET, "sk-ant-api03-renewed-key"))
    assert output.startswith("~ credential mirror/main (secret)\n")
    row = Credential.objects.get(name="main")
    assert unseal(row.ciphertext) == "sk-ant-api03-renewed-key"
    assert b"renewed" not in bytes(row.ciphertext)
    assert row.last_four == "-key"


WRONG = {
    "an unknown section": ("provider: []", "line 1: configuration has no 'provider'"),
    "an unknown field": (
        "providers:\n- {name: a, dialect: openai, location: 'http://x'}",
        "line 2: provider has no 'location'",
    ),
    "a missing field": ("providers:\n- name: a\n  address: http://x", "line 2: this provider needs 'dialect'"),
    "a wrong dialect": ("providers:\n- name: a\n  dialect: x\n  address: http://x", "line 3: dialect: needs one of"),
    "a wrong address": ("providers:\n- name: a\n  dialect: openai\n  address: x", "line 4: address: An address needs"),
    "a user in the address": (
        "providers:\n- name: a\n  dialect: openai\n  address: http://u:p@x",
        "must not hold a user name",
    ),
    "no address": ("providers:\n- {name: a, dialect: openai}", "line 2: the provider a needs 'address'"),
    "a name said twice": ("teams:\n- name: a\n- name: a", "line 3: the team 'a' stands there twice"),
    "a key said twice": ("teams:\n- name: a\n  name: b", "line 3: 'name' stands twice in this team"),
    "a name with capitals": ("teams: [{name: Search}]", "line 1: name: needs a name of lower-case"),
    "two secrets": (
        "providers:\n- name: a\n  dialect: openai\n  address: http://x\n  credentials:\n"
        "  - {name: k, secret: s, secret_env: S}",
        "line 6: the credential k needs exactly one of",
    ),
    "a position below zero": (
        "routes: [{match: a, provider: b, position: -1}]",
        "line 1: position: needs a whole number",
    ),
    "no time": ("api_keys: [{name: a, generate: true, expires_at: soon}]", "line 1: expires_at: needs a time"),
    "a list that is none": ("routes: {}", "line 1: the list of routes needs a list"),
    "no YAML": ("routes: [", "this is not YAML"),
    "two ways to a key": ("api_keys: [{name: a, generate: true, key_env: X}]", "takes only one of"),
    "the wrong dialect of a default": (
        "providers: [{name: openai, dialect: anthropic}]",
        "the dialect of openai is openai",
    ),
}


@pytest.mark.parametrize(("document", "message"), WRONG.values(), ids=WRONG)
def test_mistakes_of_form_are_named_with_their_line(document: str, message: str) -> None:
    with pytest.raises(WrongDocument) as caught:
        read_document(document)
    assert message in str(caught.value)


UNFIT = {
    "a provider that is not there": (
        "routes:\n- {match: a, provider: nowhere}",
        "line 2: there is no provider nowhere",
    ),
    "a team that is not there": ("api_keys: [{name: a, generate: true, team: b}]", "line 1: there is no team b"),
    "a variable that is not set": ("api_keys: [{name: a, key_env: NOT_SET_HERE}]", "NOT_SET_HERE is not set"),
    "a new key without a source": ("api_keys: [{name: a}]", "needs key_env, digest or generate"),
    "the same key for two": (
        "api_keys:\n- {name: a, key_env: CI_KEY}\n- {name: b, key_env: CI_KEY}",
        "another API key has the same key",
    ),
    "a fingerprint without a secret": (
        "providers: [{name: a, dialect: openai, address: 'http://x', credentials: [{name: k, fingerprint: 0123}]}]",
        "is not stored here",
    ),
    "a secret with a line break": (
        'providers: [{name: a, dialect: openai, address: "http://x", credentials: [{name: k, secret: "a\\nb"}]}]',
        "printable ASCII",
    ),
}


@pytest.mark.parametrize(("document", "message"), UNFIT.values(), ids=UNFIT)
def test_what_cannot_be_applied_changes_nothing(apply: Apply, document: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        apply(document + "\nteams: [{name: search}]")
    assert message in str(caught.value)
    assert not Team.objects.exists()


def test_a_routes_switches_are_applied_and_exported(apply: Apply) -> None:
    apply("routes: [{match: claude-*, provider: anthropic, demote: true, shortcuts: [title, quota]}]")
    (route,) = build_snapshot({}).pattern_routes
    assert route.demote
    assert route.shortcuts == {Shortcut.QUOTA, Shortcut.TITLE}
    before = exported()
    assert apply(before) == apply(before)
    assert "shortcuts:\n  - quota\n  - title\n" in before
    with pytest.raises(WrongDocument, match=r"line 1: shortcuts: needs a list of quota, prefix"):
        read_document("routes: [{match: x, provider: anthropic, shortcuts: [magic]}]")
