"""Versions of the configuration: each change is kept whole, with its author and what it changed, and can be gone back
to. Nothing is ever removed from this list; going back is a change like any other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from gateway.configuration.applying import Outcome, apply_document
from gateway.configuration.document import read_document
from gateway.configuration.exporting import dump, export_document
from gateway.models import ConfigurationRevision

LOCK = 0x72657669
SECRETS = ("sealed", "signing_sealed", "address_sealed")


@contextmanager
def revision(author: Any = None, author_name: str = "", note: str = "") -> Iterator[None]:
    """What the block changes of the configuration becomes one version, or none of it happens."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        keep_present("as it was before the first change that was kept")
        yield
        record(author, author_name or (author.get_username() if author is not None else "somebody"), note)


def keep_present(note: str) -> None:
    """The very first version is what was there before."""
    if not ConfigurationRevision.objects.exists():
        record(None, "turnlog", note, even_if_empty=True)


def record(author: Any, author_name: str, note: str, *, even_if_empty: bool = False) -> ConfigurationRevision | None:
    """A row when the configuration differs from the last version."""
    document = export_document(sealed=True)
    last = ConfigurationRevision.objects.first()
    before = last.document if last is not None else ""
    if document == before and not even_if_empty:
        return None
    return ConfigurationRevision.objects.create(
        author=author,
        author_name=author_name,
        note=note[:300],
        difference="" if last is None else difference(before, document),
        document=document,
    )


def difference(before: str, after: str) -> str:
    """Lines that went and came, with the entry they stand in; secrets are told by their change alone."""
    lines = difflib.unified_diff(masked(before), masked(after), lineterm="", n=3)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def masked(document: str) -> list[str]:
    root = yaml.safe_load(document) or {}
    for section in root.values():
        mask(section)
    return dump(root).splitlines()


def mask(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            mask(item)
    elif isinstance(value, dict):
        for name in SECRETS:
            if name in value:
                value[name] = f"(encrypted, {value[name][-6:]})"
        for item in value.values():
            mask(item)


def roll_back(number: int, author: Any = None, author_name: str = "", *, members: bool = True) -> Outcome:
    """Bring the configuration to what it was in version `number`; raises ConfigurationRevision.DoesNotExist and
    WrongDocument. Members whose user is gone stay away. Without `members` who is a member of what stays as it is: for
    authors who may not change that, and would else give themselves an old place back."""
    wanted = ConfigurationRevision.objects.get(pk=number)
    with revision(author, author_name, f"back to version {number}"):
        return apply_document(read_document(with_present_users(wanted.document, members=members)), prune=True)


def with_present_users(document: str, *, members: bool = True) -> str:
    root = yaml.safe_load(document) or {}
    users = set(get_user_model().objects.values_list("username", flat=True))
    root["members"] = [member for member in root.get("members", []) if member["user"] in users]
    if not members:
        del root["members"]
    for key in root.get("api_keys", []):
        if key.get("owner") not in users:
            key.pop("owner", None)
    return dump(root)
