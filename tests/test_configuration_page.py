"""docs/configuration.md: every example and command on it works, every field stands in one of them, and every column of
the tables that ops edit is such a field or the machine's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import models

from gateway.configuration.applying import apply_document
from gateway.configuration.building import build_snapshot
from gateway.configuration.document import (
    CREDENTIAL_FIELDS,
    SECTIONS,
    SETTINGS_FIELDS,
    TARGET_FIELDS,
    read_document,
)
from gateway.configuration.document_alerts import GRADING_FIELDS
from gateway.configuration.revisions import revision
from gateway.models import ConfigurationRevision

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "configuration.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)
COMMANDS = [
    shlex.split(line, comments=True)[2:]
    for block in re.findall(r"```console\n(.*?)```", TEXT, flags=re.S)
    for line in block.splitlines()
    if line.startswith("$ manage.py ")
] + [shlex.split(found) for found in re.findall(r"`manage\.py (cache [^`]+)`", TEXT)]
NAMES = (
    "ANTHROPIC_API_KEY", "CI_TURNLOG_KEY", "MIRROR_KEY_ONE", "MIRROR_KEY_TWO", "MIRROR_KEY_SPARE", "PROXY_PASSWORD",
    "OPS_WEBHOOK_SECRET", "HOOK_TURNLOG_KEY", "HOOK_SIGNING_SECRET",
)  # fmt: skip
ENVIRON = {name: f"value-of-{name.lower()}" for name in NAMES} | {
    "SLACK_WEBHOOK": "https://hooks.slack.example/services/T0/B0/key"
}
BASE = "teams: [{name: search}]"


@pytest.fixture(autouse=True)
def ada(request: pytest.FixtureRequest) -> None:
    if "django_db" in request.keywords:
        User.objects.create_user("ada")


@pytest.mark.django_db
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split(":")[0] + str(len(text)))
def test_an_example_applies_and_makes_a_snapshot(example: str) -> None:
    apply_document(read_document(BASE), ENVIRON)
    assert apply_document(read_document(example), ENVIRON).changes
    assert build_snapshot({}).providers
    assert not apply_document(read_document(example), ENVIRON).changes


@pytest.mark.django_db
def test_an_environment_is_laid_over_the_rest() -> None:
    example = next(text for text in EXAMPLES if "environments:" in text)
    apply_document(read_document(example, "staging"), ENVIRON)
    anthropic = build_snapshot({}).providers["anthropic"]
    assert (anthropic.address, anthropic.keyless, anthropic.credentials) == ("https://mirror.example", True, ())
    with pytest.raises(ValueError, match="no environment 'moon'"):
        read_document(example, "moon")


FIELDS: dict[str, Mapping[str, Any]] = {
    **{section: fields for section, (fields, *_) in SECTIONS.items()},
    "settings": SETTINGS_FIELDS,
    "grading": GRADING_FIELDS,
    "credentials": CREDENTIAL_FIELDS,
    "targets": TARGET_FIELDS,
}
IN_CLEAR = {"secret", "password", "signing_secret"}
"""May be written where the others name a variable of the environment; no example teaches it."""
FOR_ITSELF = {"fingerprint", "sealed", "signing_sealed", "address_sealed"}
"""What the gateway writes for itself."""


def written(section: str, value: Any) -> Iterator[tuple[str, str]]:
    """(section, field) of all that an example says."""
    for entry in value if isinstance(value, list) else [value]:
        for field, inner in entry.items():
            yield section, field
            if field in ("credentials", "targets"):
                yield from written(field, inner)


def test_every_field_stands_in_an_example() -> None:
    shown = {
        pair
        for example in EXAMPLES
        for section, value in yaml.safe_load(example).items()
        if section != "environments"
        for pair in written(section, value)
    }
    wanted = {(section, field) for section, fields in FIELDS.items() for field in fields}
    left_out = {pair for pair in wanted if pair[1] in IN_CLEAR | FOR_ITSELF}
    assert wanted - left_out - shown == set()


EDITED = {
    "Provider": "providers", "Credential": "credentials", "OutboundProxy": "proxies", "ModelRoute": "routes",
    "RouteTarget": "targets", "ApiKey": "api_keys", "Team": "teams", "Member": "members", "GatewaySettings": "settings",
    "Limit": "limits", "Budget": "budgets", "CacheRule": "cache_rules", "HeaderRule": "header_rules",
    "CapturePolicy": "capture_policies", "ContentRule": "content_rules", "Redaction": "redactions",
    "AlertRule": "alert_rules", "AlertChannel": "alert_channels", "GradingSettings": "grading",
}  # fmt: skip
"""Which section of the file has the rows of a table."""
NOT_WRITTEN = {
    "Credential": {"provider", "ciphertext", "last_four", "blocked", "blocked_until", "blocked_reason"},
    "OutboundProxy": {"ciphertext"},
    "RouteTarget": {"route", "position"},
    "ApiKey": {"hint", "signing_ciphertext", "created_at"},
    "AlertRule": {"muted_until"},
    "AlertChannel": {"address_ciphertext", "address_hint", "secret_ciphertext"},
    "GradingSettings": {"rubric", "sampled_until"},
}
"""Columns that are no field of the file: what follows from one, and what the admin's buttons do for a while."""


@pytest.mark.parametrize("name", EDITED)
def test_every_column_is_a_field_of_the_file(name: str) -> None:
    model: type[models.Model] = apps.get_model("gateway", name)
    columns = {column.name for column in (*model._meta.concrete_fields, *model._meta.many_to_many)} - {"id"}
    assert columns - NOT_WRITTEN.get(name, set()) == columns & set(FIELDS[EDITED[name]])


@pytest.mark.parametrize("name", EDITED)
def test_every_value_one_may_choose_stands_on_the_page(name: str) -> None:
    text = TEXT + (DOCS / "alerts.md").read_text()  # which has the metrics
    choices = [
        (column.name, str(value))
        for column in apps.get_model("gateway", name)._meta.concrete_fields
        for value, _ in column.flatchoices or ()
    ]
    assert [pair for pair in choices if not re.search(rf"(?<!\w){re.escape(pair[1])}(?!\w)", text)] == []


@pytest.mark.django_db
def test_every_command_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as they stand on the page, beside a configuration made of all the examples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda asked: "y")
    with revision(author_name="ada"):
        for example in (BASE, *EXAMPLES):
            apply_document(read_document(example), ENVIRON)
    ConfigurationRevision.objects.filter(author_name="ada").update(id=12)
    assert {command[0] for command in COMMANDS} == {"config", "simulate", "headerrules", "cache"}
    for command in COMMANDS:
        call_command(*command)
