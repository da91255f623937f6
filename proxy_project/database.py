"""Where PostgreSQL is: the one of `DATABASE_URL`, or the embedded one on its socket in the data directory."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from proxy_project.embedded.address import socket_address
from proxy_project.environment import Environment

CONNECT_SECONDS = 10
"""A server that does not answer is an error soon; a `connect_timeout` in DATABASE_URL wins."""


def database_settings(environment: Environment) -> dict[str, Any]:
    common = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
    if environment.database_url:
        return common | parse_database_url(environment.database_url)
    address = socket_address(environment.data_dir)
    return common | {"NAME": "turnlog", "USER": "turnlog", "HOST": str(address.directory), "PORT": str(address.port)}


def parse_database_url(url: str) -> dict[str, Any]:
    """`postgresql://user:password@host:port/name?sslmode=require`; a `host` in the query may be a socket directory."""
    parts = urlsplit(url)
    options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS} | dict(parse_qsl(parts.query))
    return {
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
