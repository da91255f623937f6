"""`manage.py backup`: the history, the configuration and this host's spool in one file, while everything runs."""

from __future__ import annotations

import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from gateway.configuration.sealing import pepper
from gateway.recording.series import spool_host
from gateway.recording.spool_copy import settled_books, spool_files
from gateway.version import VERSION
from proxy_project.backups.archive import (
    DATABASE,
    FORMAT,
    MANIFEST,
    SECRET_NAMES,
    SECRETS,
    SPOOL,
    Manifest,
    key_digest,
    new_archive,
    new_member,
    put,
)
from proxy_project.backups.dump import ToolFailed, dump
from proxy_project.backups.progress import Progress
from proxy_project.backups.record import noted


class Command(BaseCommand):
    help = (
        "Write the database, as it is at one moment, and this host's spool to one file. Works while everything runs. "
        "The file holds every prompt and answer: keep it as well as the database."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, help="the file to write, or a directory to write a new one into")
        parser.add_argument(
            "--with-secrets",
            action="store_true",
            help="put secret_key and encryption_keys of the data directory in too: without them nobody reads the "
            "stored provider credentials and no access key is known",
        )
        parser.add_argument("--without-spool", action="store_true", help="the database alone")
        parser.add_argument("--binaries", type=Path, help="directory of another pg_dump, for a server newer than ours")

    def handle(self, *args: Any, **options: Any) -> None:
        said = {"spool": not options["without_spool"], "secrets": options["with_secrets"]}
        try:
            with noted(self.stderr.write, **said) as record:
                path = target_path(options["target"])
                with new_archive(path) as archive, snapshots() as (books, snapshot):
                    parts = self.write(archive, books, snapshot, options)
                record.size = path.stat().st_size
        except (OSError, psycopg.Error, ToolFailed) as error:
            raise CommandError(f"no backup was made: {error}") from None
        self.stdout.write(f"{path} holds {', '.join(parts)}")

    def write(
        self, archive: zipfile.ZipFile, books: psycopg.Connection[Any], snapshot: Snapshot, options: dict[str, Any]
    ) -> list[str]:
        data_dir = settings.TURNLOG.data_dir
        with settled_books(books):
            snapshot.take()
            if not options["without_spool"]:
                spooled = Progress("spool", self.stderr.write)
                for name, data in spool_files(data_dir / "spool"):
                    put(archive, SPOOL + name, data)
                    spooled.add(len(data))
                spooled.finish()
        secrets = kept_secrets(data_dir) if options["with_secrets"] else []
        for secret in secrets:
            put(archive, SECRETS + secret.name, secret.read_bytes())
        put(archive, MANIFEST, msgspec.json.encode(manifest(snapshot, options, secrets)))
        progress = Progress("database", self.stderr.write)
        with new_member(archive, DATABASE) as member:
            dump(connection.get_connection_params(), snapshot.name, member, progress.add, options["binaries"])
        progress.finish()
        spool = [] if options["without_spool"] else ["the spool of this host"]
        return ["the database", *spool, *(f"the secret {secret.name}" for secret in secrets)]


class Snapshot:
    """One moment of the database, which pg_dump can be told to see as long as this connection lives."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw
        self.name = ""

    def take(self) -> None:
        row = self.raw.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        self.name = row[0]

    @property
    def server_version(self) -> str:
        return self.raw.info.parameter_status("server_version") or ""


@contextmanager
def snapshots() -> Iterator[tuple[psycopg.Connection[Any], Snapshot]]:
    """A connection for the books and one for the snapshot."""
    books, reader = connection.copy(), connection.copy()
    try:
        books.ensure_connection()
        reader.ensure_connection()
        raw: psycopg.Connection[Any] = reader.connection
        raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with raw.transaction():
            yield books.connection, Snapshot(raw)
    finally:
        books.close()
        reader.close()


def target_path(target: Path) -> Path:
    path = target / f"turnlog-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip" if target.is_dir() else target
    if path.exists():
        raise CommandError(f"{path} exists; name another file")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is no directory")
    return path


def kept_secrets(data_dir: Path) -> list[Path]:
    """Those that lie in the data directory and are in force: one set in the environment is kept where it was set."""
    environment = settings.TURNLOG
    return [data_dir / name for name in SECRET_NAMES if not getattr(environment, name) and (data_dir / name).exists()]


def manifest(snapshot: Snapshot, options: dict[str, Any], secrets: list[Path]) -> Manifest:
    return Manifest(
        format=FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=VERSION,
        server_version=snapshot.server_version,
        spool_host=spool_host(settings.TURNLOG.data_dir / "spool"),
        spool=not options["without_spool"],
        secrets=[secret.name for secret in secrets],
        keys=[key_digest(key) for key in settings.ENCRYPTION_KEYS],
        signing=pepper("backups").hex()[:16],
    )
