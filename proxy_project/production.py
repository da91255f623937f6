"""In production Turnlog starts with real secrets only, which only their owner can read.

Production is what says so: a public name in TURNLOG_ALLOWED_HOSTS, TURNLOG_BEHIND_TLS, or TLS of our own. An address
other than loopback alone does not: that is also how a gateway is tried out in a container or a home network. Files
below `/run/secrets` and `/var/run/secrets` are exempt from the look at permissions: container engines mount secrets
there readable by all, and nobody but the container's own processes is there to read them.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote, urlsplit

from proxy_project.environment import LOOPBACK_HOSTS, Environment, WrongEnvironment, variable_of

SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 10
SHORTEST_PASSWORD = 12
PLACEHOLDER = re.compile(
    r"change.?me|change.?this|insecure|placeholder|replace|^(your|my|the)[-_ ]|example|^<.*>$", re.I
)
COMMON = frozenset({"admin", "password", "postgres", "root", "secret", "test", "turnlog", "default", "redis"})
MOUNTED = (Path("/run/secrets"), Path("/var/run/secrets"))


def is_production(environment: Environment) -> bool:
    public = [name for name in environment.allowed_hosts if name not in (*LOOPBACK_HOSTS, "[::1]")]
    return environment.behind_tls or environment.speaks_tls or bool(public)


def check_production(environment: Environment) -> None:
    """Raises WrongEnvironment with every weak secret and its mend. Elsewhere nothing is asked."""
    if is_production(environment) and (problems := [*weak_secrets(environment), *readable_files(environment)]):
        raise WrongEnvironment("\n".join(problems))


def weak_secrets(environment: Environment) -> Iterator[str]:
    key = environment.secret_key
    if key and (len(key) < SHORTEST_SECRET or len(set(key)) < FEWEST_CHARACTERS or is_placeholder(key)):
        yield (
            f"TURNLOG_SECRET_KEY needs {SHORTEST_SECRET} random characters or more; leave it out to have one made, or "
            "make one with python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    password = environment.admin_password
    if password and (len(password) < SHORTEST_PASSWORD or is_placeholder(password)):
        yield (
            f"TURNLOG_ADMIN_PASSWORD needs {SHORTEST_PASSWORD} characters or more, not a usual word; leave it out to "
            "sign in by the one-time link"
        )
    for variable, address in (("DATABASE_URL", environment.database_url), ("REDIS_URL", environment.redis_url)):
        given = unquote(urlsplit(address).password or "")
        if given and is_placeholder(given):
            yield f"{variable} holds a password that everybody would try first: set another"
    for variable, key in (
        ("TURNLOG_ANTHROPIC_KEY", environment.anthropic_key),
        ("TURNLOG_OPENAI_KEY", environment.openai_key),
    ):
        if key and is_placeholder(key):
            yield f"{variable} is no key but what stands in its place: set the provider's, or leave it out"


def is_placeholder(secret: str) -> bool:
    return bool(PLACEHOLDER.search(secret)) or secret.strip().lower() in COMMON


def readable_files(environment: Environment) -> Iterator[str]:
    for path in secret_files(environment):
        if any(path.is_relative_to(folder) for folder in MOUNTED):
            continue
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o007:
            yield f"{path} holds secrets and everybody on this machine may use it (mode {mode:04o}): chmod 600 {path}"


def secret_files(environment: Environment) -> Iterator[Path]:
    """Files that secrets are read from, whether or not they are there."""
    for item in fields(Environment):
        if item.name == "sources" or not item.metadata["secret"]:
            continue
        given, _, path = environment.sources.get(item.name, "").partition("=")
        if given == f"{variable_of(item.name, item.metadata)}_FILE":
            yield Path(path).absolute()
    yield from filter(None, (environment.access_keys_file, environment.tls_key_file))
    yield environment.data_dir / "secret_key"
    yield environment.data_dir / "encryption_keys"
