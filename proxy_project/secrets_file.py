"""Secrets nobody set are made once and kept in the data directory, readable by its owner alone."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from proxy_project.environment import Environment


def secret_key(environment: Environment) -> str:
    return environment.secret_key or kept(environment.data_dir / "secret_key", secrets.token_urlsafe(48))


def encryption_keys(environment: Environment) -> tuple[str, ...]:
    """Fernet keys, newest first: the first encrypts, all decrypt."""
    if environment.encryption_keys:
        return environment.encryption_keys
    return tuple(kept(environment.data_dir / "encryption_keys", fernet_key()).split(","))


def fernet_key() -> str:
    """As `Fernet.generate_key()`, without loading the library into processes that have nothing to decrypt."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def kept(path: Path, fresh: str) -> str:
    """The file's text; made with `fresh` when there is none, by exactly one of several starting processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A complete file appears at once, or not at all: written aside, then linked into place.
    aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(fresh + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
    return path.read_text().strip()
