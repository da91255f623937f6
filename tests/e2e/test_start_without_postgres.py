"""A process that starts while Postgres is down serves by the copy that the last reading left on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.e2e.configured import apply, apply_and_wait
from tests.e2e.processes import running_web, until
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider

KEY = "key-of-the-copy-0123456789"
HEADERS: Pairs = [(b"x-api-key", KEY.encode())]
BODY = b'{"model":"copied","messages":[]}'
DOCUMENT = """
providers: [{{name: copied, dialect: anthropic, address: "{url}", credentials: [{{name: c, secret: the-copied-key}}]}}]
routes: [{{match: copied, provider: copied, model: {model}}}]
teams: [{{name: search}}]
api_keys: [{{name: ada, key_env: KEY, team: search, expires_at: 2099-01-01}}]
"""


@contextmanager
def closed_database(url: str) -> Iterator[None]:
    """Postgres takes no new connection to it, from anybody."""
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_a_process_started_without_postgres_serves_by_the_copy_and_follows_when_it_is_back(
    session_database_url: str, upstreams: dict[str, str], provider: FakeProvider, tmp_path: Path
) -> None:
    environment = upstreams | {"KEY": KEY}
    with running_web(tmp_path, session_database_url, **environment) as web:
        apply_and_wait(web, DOCUMENT.format(url=provider.url, model="before"))
        assert ask(web, "POST", "/v1/messages", HEADERS, BODY).status == 200
    (tmp_path / "web.log").write_text("")
    with closed_database(session_database_url), running_web(tmp_path, session_database_url, **environment) as web:
        assert "from its copy on disk" in web.output
        assert ask(web, "POST", "/v1/messages", HEADERS, BODY).status == 200
        assert b'"before"' in provider.requests[-1].body
        assert provider.requests[-1].header("x-api-key") == b"the-copied-key"
        assert ask(web, "POST", "/v1/messages", [(b"x-api-key", b"another")], BODY).status == 401
        assert ask(web, "GET", "/readyz").status == 200
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            name = session_database_url.partition("?")[0].rpartition("/")[2]
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        try:
            apply(web, DOCUMENT.format(url=provider.url, model="after"))

            def follows() -> bool:
                status = ask(web, "POST", "/v1/messages", HEADERS, BODY).status
                return status == 200 and b'"after"' in provider.requests[-1].body

            until(follows, 60, "the configuration of the database")
        finally:
            apply_and_wait(web, "providers: []\nroutes: []\napi_keys: []\nteams: []\n")
