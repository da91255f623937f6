"""`manage.py restore`: a backup into an empty database, or in place of what is there."""

from __future__ import annotations

import sys
import zipfile
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from gateway.configuration.sealing import pepper
from gateway.recording.series import is_alive, list_series, spool_host
from gateway.recording.spool_copy import settle_missing
from proxy_project.backups.archive import (
    DATABASE,
    SECRETS,
    Manifest,
    NoBackup,
    check,
    key_digest,
    opened,
    pieces,
    spool_members,
)
from proxy_project.backups.dump import ToolFailed, dropping, restore, tables
from proxy_project.backups.progress import Progress

CONTENTS = ("gateway_requestlog", "gateway_deadletter", "gateway_provider", "gateway_apikey", "auth_user")
"""Tables in which a row means that somebody would miss it."""
OTHERS = """
SELECT DISTINCT coalesce(nullif(application_name, ''), 'process ' || pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Command(BaseCommand):
    help = (
        "Read a backup into the database and this host's spool. Stop web, loader and worker first. A database or a "
        "spool that holds something is refused without --replace; with it, the database's contents are dropped."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="what `manage.py backup` wrote")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--replace", action="store_true", help="in place of what the database and spool hold")
        parser.add_argument("--without-spool", action="store_true", help="leave this host's spool as it is")
        parser.add_argument("--binaries", type=Path, help="directory of another pg_restore")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with opened(options["file"]) as (archive, manifest):
                self.check_archive(archive)
                self.refuse_or_ask(manifest, options)
                self.replace_all(archive, manifest, options)
        except (OSError, NoBackup, ToolFailed, psycopg.Error) as error:
            raise CommandError(f"not restored: {error}") from None

    def check_archive(self, archive: zipfile.ZipFile) -> None:
        progress = Progress("checking the file", self.stderr.write, sum(item.file_size for item in archive.infolist()))
        spool_members(archive)
        for size in check(archive):
            progress.add(size)
        progress.finish()

    def refuse_or_ask(self, manifest: Manifest, options: dict[str, Any]) -> None:
        connection.ensure_connection()
        raw: psycopg.Connection[Any] = connection.connection
        if others := [row[0] for row in raw.execute(OTHERS).fetchall()]:
            raise CommandError(f"others use the database: {', '.join(others)}. Stop web, loader and worker first.")
        spool = settings.TURNLOG.data_dir / "spool"
        if any(is_alive(directory) for directory in list_series(spool)):
            raise CommandError(f"a web process writes to {spool}: stop it first")
        full = [
            *filled_tables(raw),
            *(["the spool"] if list_series(spool) and replaces_spool(manifest, options) else []),
        ]
        if full and not options["replace"]:
            raise CommandError(
                f"something is there already ({', '.join(full)}): --replace puts the backup in its place"
            )
        self.say_what_is_missing(manifest)
        if not options["yes"]:
            self.ask(manifest, full)

    def say_what_is_missing(self, manifest: Manifest) -> None:
        ours = {key_digest(key) for key in settings.ENCRYPTION_KEYS}
        if not ours.issuperset(manifest.keys) and "encryption_keys" not in manifest.secrets:
            self.stderr.write(
                "The encryption keys in force are not those of the backup, and it holds none: stored provider "
                "credentials cannot be read until TURNLOG_ENCRYPTION_KEYS names the former ones."
            )
        if pepper("backups").hex()[:16] != manifest.signing and "secret_key" not in manifest.secrets:
            self.stderr.write(
                "The secret key in force is not that of the backup, and it holds none: no access key made in the admin "
                "is known until TURNLOG_SECRET_KEY is the former one."
            )

    def ask(self, manifest: Manifest, full: list[str]) -> None:
        if not sys.stdin.isatty():
            raise CommandError("nobody is there to be asked: say --yes")
        question = f"Restore the backup of {manifest.created_at}"
        question += f" and drop what is in {', '.join(full)}?" if full else "?"
        if input(f"{question} [yes/no] ").strip().lower() != "yes":
            raise CommandError("not restored")

    def replace_all(self, archive: zipfile.ZipFile, manifest: Manifest, options: dict[str, Any]) -> None:
        raw: psycopg.Connection[Any] = connection.connection
        progress = Progress("database", self.stderr.write, archive.getinfo(DATABASE).file_size)
        with archive.open(DATABASE) as member:
            restore(connection.get_connection_params(), member, progress.add, options["binaries"], dropping(raw))
        progress.finish()
        data_dir = settings.TURNLOG.data_dir
        hosts = [manifest.spool_host]
        if replaces_spool(manifest, options):
            restore_spool(archive, data_dir / "spool")
        elif list_series(data_dir / "spool"):
            hosts.append(spool_host(data_dir / "spool"))
        restore_secrets(archive, manifest, data_dir)
        lost = settle_missing(raw, data_dir / "spool", hosts)
        raw.execute("ANALYZE")
        row = raw.execute("SELECT count(*) FROM gateway_requestlog").fetchone()
        self.stdout.write(f"Restored the backup of {manifest.created_at}: {row[0] if row else 0} exchanges")
        if lost:
            self.stdout.write(
                f"{lost} exchanges were in a spool that is not in the backup: `status` counts them as dropped"
            )
        self.stdout.write("Prove it with `manage.py history verify`; `manage.py loader` loads the restored spool.")


def replaces_spool(manifest: Manifest, options: dict[str, Any]) -> bool:
    return manifest.spool and not options["without_spool"]


def filled_tables(raw: psycopg.Connection[Any]) -> list[str]:
    """Those that hold a row."""
    there = set(tables(raw))
    return [
        name
        for name in CONTENTS
        if name in there and raw.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()  # noqa: S608
    ]


def set_aside(path: Path) -> None:
    if path.exists():
        path.rename(path.with_name(f"{path.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"))


def restore_spool(archive: zipfile.ZipFile, spool: Path) -> None:
    """The spool there is is kept beside, for a person to decide about."""
    set_aside(spool)
    spool.mkdir(mode=0o700, parents=True)
    for name, path in spool_members(archive):
        target = spool / path
        target.parent.mkdir(mode=0o700, exist_ok=True)
        target.touch(mode=0o600)
        with archive.open(name) as member, target.open("wb") as file:
            for piece in pieces(member):
                file.write(piece)


def restore_secrets(archive: zipfile.ZipFile, manifest: Manifest, data_dir: Path) -> None:
    for name in manifest.secrets:
        data = archive.read(SECRETS + name)
        path = data_dir / Path(name).name
        if path.exists() and path.read_bytes() == data:
            continue
        set_aside(path)
        path.touch(mode=0o600)
        path.write_bytes(data)
