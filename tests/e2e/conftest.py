"""One gateway in open mode, one in keyed mode and one with short timeouts, each started when it is first needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.e2e.processes import ROOT, ProviderThread, WebProcess, running_web
from tests.upstream import FakeProvider

ANTHROPIC_KEY = "sk-ant-api03-the-gateways-own-anthropic-key"
OPENAI_KEY = "sk-proj-the-gateways-own-openai-key"
ADA_KEY = "tl_ada-and-her-key-0123456789"
GRACE_KEY = "plain-key-of-grace-0123456789"


@pytest.fixture(scope="session")
def provider_thread() -> Iterator[FakeProvider]:
    with ProviderThread() as provider:
        yield provider


@pytest.fixture
def provider(provider_thread: FakeProvider) -> FakeProvider:
    """The fake provider, its books empty."""
    provider_thread.requests.clear()
    provider_thread.responses.clear()
    return provider_thread


def migrated_database(kind: str) -> str:
    """The address of a new database of this worker's own: the tests' is emptied between tests."""
    address = urlsplit(os.environ["DATABASE_URL"])
    name = f"{kind}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    url = urlunsplit(address._replace(path=f"/{name}"))
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    return url


@pytest.fixture(scope="session")
def session_database_url() -> str:
    """DATABASE_URL of what the gateways of this session share."""
    return migrated_database("e2e")


@pytest.fixture(scope="session")
def demonstration_url() -> str:
    """DATABASE_URL of one for a history of many turns, which no other test meets."""
    return migrated_database("day")


@pytest.fixture(scope="session")
def upstreams(provider_thread: FakeProvider) -> dict[str, str]:
    return {"TURNLOG_ANTHROPIC_URL": provider_thread.url, "TURNLOG_OPENAI_URL": provider_thread.url + "/v1"}


@pytest.fixture(scope="session")
def web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """Open mode, the defaults."""
    with running_web(tmp_path_factory.mktemp("open"), session_database_url, **upstreams) as process:
        yield process


@pytest.fixture(scope="session")
def keyed_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """Keyed mode by a file, with a credential for each provider."""
    directory = tmp_path_factory.mktemp("keyed")
    keys = directory / "keys"
    keys.write_text(f"# people\nada={ADA_KEY}\n\ngrace = {GRACE_KEY}\n")
    environment = upstreams | {
        "TURNLOG_ACCESS_KEYS_FILE": str(keys),
        "TURNLOG_ANTHROPIC_KEY": ANTHROPIC_KEY,
        "TURNLOG_OPENAI_KEY": OPENAI_KEY,
    }
    with running_web(directory, session_database_url, **environment) as process:
        yield process


@pytest.fixture(scope="session")
def hasty_web(
    session_database_url: str, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """Open mode, short of patience and of room."""
    environment = upstreams | {
        "TURNLOG_CONNECT_TIMEOUT": "0.5",
        "TURNLOG_HEADER_TIMEOUT": "0.5",
        "TURNLOG_IDLE_TIMEOUT": "0.5",
        "TURNLOG_CLIENT_WRITE_TIMEOUT": "0.8",
        "TURNLOG_MAX_REQUEST_BYTES": "100000",
    }
    with running_web(tmp_path_factory.mktemp("hasty"), session_database_url, **environment) as process:
        yield process
