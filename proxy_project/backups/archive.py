"""The file a backup is: a zip, uncompressed because what lies in it is, written and read as a stream.

manifest.json     what is in it, and which secrets it needs
spool/...         the records of this host that were not in the database yet
secrets/...       only with --with-secrets
database.dump     pg_dump's custom format; pg_restore reads it
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database.dump"
SPOOL = "spool/"
SECRETS = "secrets/"
SECRET_NAMES = ("secret_key", "encryption_keys")
SPOOL_NAME = re.compile(r"host|quarantine/[\w.-]+|[0-9a-f]{32}/(?:lock|counters|\d{6,}\.(?:stubs|frames))")
PIECE = 1024 * 1024


class NoBackup(ValueError):
    """The file is no backup of ours, or is damaged."""


class Manifest(msgspec.Struct):
    """`keys` are digests of the encryption keys in force, newest first; `signing` one of the secret key: both only tell
    whether the right ones are there."""

    format: int
    created_at: str
    version: str
    server_version: str
    spool_host: str
    spool: bool
    secrets: list[str]
    keys: list[str]
    signing: str


def key_digest(key: str) -> str:
    return hashlib.sha256(b"turnlog backup " + key.encode()).hexdigest()[:16]


@contextmanager
def new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Readable by its owner alone; appears under its name when it is whole and on the disk."""
    aside = path.with_name(f"{path.name}.partial")
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)


def put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


@contextmanager
def new_member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """A member whose size is not known yet."""
    with archive.open(name, "w", force_zip64=True) as member:
        yield member


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Raises NoBackup and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, read_manifest(archive)
    except zipfile.BadZipFile as error:
        raise NoBackup(f"{path} is no backup, or it is damaged: {error}") from None


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError) as error:
        raise NoBackup(f"{archive.filename} is no backup of Turnlog: {error}") from None
    if manifest.format != FORMAT or DATABASE not in archive.namelist():
        raise NoBackup(
            f"{archive.filename} is a backup of a kind this version does not know (format {manifest.format})"
        )
    return manifest


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def check(archive: zipfile.ZipFile) -> Iterator[int]:
    """Read everything against its checksums, telling how many bytes each time; raises NoBackup."""
    for item in archive.infolist():
        try:
            with archive.open(item) as member:
                for piece in pieces(member):
                    yield len(piece)
        except zipfile.BadZipFile as error:
            raise NoBackup(f"{archive.filename} is damaged at {item.filename}: {error}") from None


def spool_members(archive: zipfile.ZipFile) -> list[tuple[str, Path]]:
    """(member, path below the spool); raises NoBackup for a name that no backup of ours holds."""
    members = []
    for name in archive.namelist():
        if name.startswith(SPOOL):
            path = name.removeprefix(SPOOL)
            if not SPOOL_NAME.fullmatch(path):
                raise NoBackup(f"{archive.filename} holds {name}, which is nothing of ours")
            members.append((name, Path(path)))
    return members
