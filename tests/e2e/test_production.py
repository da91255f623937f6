"""What is asked where others can reach the gateway, and what the pages then do."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from proxy_project.environment import WrongEnvironment, load_environment
from proxy_project.production import check_production, is_production
from tests.e2e.processes import ROOT, running_web
from tests.e2e.wire import Pairs, ask

PUBLIC = {"TURNLOG_ALLOWED_HOSTS": "gateway.example.com"}
STRONG = "x9-" + secrets.token_urlsafe(48)

WHERE = {
    "the defaults": ({}, False),
    "names of this machine": ({"TURNLOG_ALLOWED_HOSTS": "localhost,127.0.0.1"}, False),
    "a public name": (PUBLIC, True),
    "an address others reach, alone": ({"TURNLOG_HOST": "0.0.0.0"}, False),
    "TLS before us": ({"TURNLOG_BEHIND_TLS": "1"}, True),
}
WEAK = {
    "a short secret key": ({"TURNLOG_SECRET_KEY": "short"}, "TURNLOG_SECRET_KEY"),
    "a secret key of one letter": ({"TURNLOG_SECRET_KEY": "a" * 60}, "TURNLOG_SECRET_KEY"),
    "a placeholder for one": ({"TURNLOG_SECRET_KEY": "change-me-" + STRONG}, "TURNLOG_SECRET_KEY"),
    "a short password": ({"TURNLOG_ADMIN_PASSWORD": "hunter2"}, "TURNLOG_ADMIN_PASSWORD"),
    "the database's usual password": (
        {"DATABASE_URL": "postgresql://turnlog:postgres@db/turnlog"},
        "DATABASE_URL",
    ),
    "Redis' usual password": ({"REDIS_URL": "redis://:password@redis/0"}, "REDIS_URL"),
    "a provider's key that is none": ({"TURNLOG_ANTHROPIC_KEY": "your-key-here"}, "TURNLOG_ANTHROPIC_KEY"),
}


@pytest.mark.parametrize("name", WHERE)
def test_where_production_begins(name: str) -> None:
    environ, expected = WHERE[name]
    assert is_production(load_environment(environ)) == expected


@pytest.mark.parametrize("name", WEAK)
def test_weak_secrets_are_refused_in_production_alone(name: str, tmp_path: Path) -> None:
    environ, variable = WEAK[name]
    environ = environ | {"TURNLOG_DATA_DIR": str(tmp_path)}
    check_production(load_environment(environ))
    with pytest.raises(WrongEnvironment, match=f"^{variable} "):
        check_production(load_environment(environ | PUBLIC))


def test_real_secrets_pass(tmp_path: Path) -> None:
    environ = PUBLIC | {
        "TURNLOG_DATA_DIR": str(tmp_path),
        "TURNLOG_SECRET_KEY": STRONG,
        "TURNLOG_ADMIN_PASSWORD": secrets.token_urlsafe(18),
        "DATABASE_URL": f"postgresql://turnlog:{secrets.token_urlsafe(18)}@db/turnlog",
    }
    check_production(load_environment(environ))


FILES = ["TURNLOG_SECRET_KEY_FILE", "TURNLOG_ANTHROPIC_KEY_FILE", "TURNLOG_ACCESS_KEYS_FILE"]


@pytest.mark.parametrize("variable", FILES)
def test_a_file_of_secrets_must_be_its_owners_alone(variable: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f"ada={STRONG}\n")
    environ = PUBLIC | {variable: str(path), "TURNLOG_DATA_DIR": str(tmp_path)}
    path.chmod(0o640)
    check_production(load_environment(environ))
    path.chmod(0o644)
    with pytest.raises(WrongEnvironment, match=f"chmod 600 {path}"):
        check_production(load_environment(environ))


def test_the_secrets_made_on_the_first_start_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "encryption_keys").write_text("x")
    (tmp_path / "encryption_keys").chmod(0o666)
    with pytest.raises(WrongEnvironment, match="encryption_keys holds secrets"):
        check_production(load_environment(PUBLIC | {"TURNLOG_DATA_DIR": str(tmp_path)}))


def run_check(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TURNLOG_DATA_DIR": str(tmp_path)} | variables
    command = [sys.executable, "manage.py", "check", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_weak_secret_refuses_the_start_in_plain_words(tmp_path: Path) -> None:
    done = run_check(tmp_path, **PUBLIC, TURNLOG_SECRET_KEY="short")
    assert done.returncode == 2
    assert done.stderr.startswith("TURNLOG_SECRET_KEY needs 32 random characters")
    assert "Traceback" not in done.stderr


def test_check_deploy_has_nothing_to_say_behind_tls(tmp_path: Path) -> None:
    arguments = ("--deploy", "--fail-level", "WARNING")
    assert run_check(tmp_path, *arguments, **PUBLIC).returncode == 1, "it would not notice"
    done = run_check(tmp_path, *arguments, **PUBLIC, TURNLOG_BEHIND_TLS="1")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


NAMED: Pairs = [(b"Host", b"gateway.example.com")]
SECURE: Pairs = [*NAMED, (b"X-Forwarded-Proto", b"https")]


def test_pages_ask_for_tls_and_gateway_paths_are_never_redirected(
    session_database_url: str, upstreams: dict[str, str], tmp_path: Path
) -> None:
    with running_web(tmp_path, session_database_url, **upstreams, **PUBLIC, TURNLOG_BEHIND_TLS="1") as web:
        redirected = ask(web, "GET", "/accounts/login/", NAMED)
        assert redirected.status == 301
        assert redirected.header(b"location") == b"https://gateway.example.com/accounts/login/"
        page = ask(web, "GET", "/accounts/login/", SECURE)
        assert page.status == 200
        assert (page.header(b"strict-transport-security") or b"").startswith(b"max-age=31536000")
        cookie = page.header(b"set-cookie") or b""
        assert b"secure" in cookie.lower()
        assert ask(web, "GET", "/accounts/login/", [(b"Host", b"evil.example.com"), SECURE[1]]).status == 400
        for path in ("/livez", "/readyz", "/v1/models"):
            assert ask(web, "GET", path, [*NAMED, (b"x-api-key", b"sk-ant-mine")]).status == 200, path
        assert ask(web, "GET", "/livez", NAMED).header(b"strict-transport-security") is None


def test_without_a_proxy_nobody_believes_its_header(
    session_database_url: str, upstreams: dict[str, str], tmp_path: Path
) -> None:
    with running_web(tmp_path, session_database_url, **upstreams) as web:
        page = ask(web, "GET", "/accounts/login/", [(b"Host", b"127.0.0.1"), (b"X-Forwarded-Proto", b"https")])
        assert page.status == 200
        assert page.header(b"strict-transport-security") is None
        assert b"secure" not in (page.header(b"set-cookie") or b"").lower()


def test_a_process_of_pages_alone_never_redirects_a_gateway_path(
    session_database_url: str, upstreams: dict[str, str], tmp_path: Path
) -> None:
    variables = upstreams | PUBLIC | {"TURNLOG_BEHIND_TLS": "1", "TURNLOG_ROLES": "dashboard"}
    with running_web(tmp_path, session_database_url, **variables) as web:
        answer = ask(web, "POST", "/v1/messages", NAMED, b"{}")
        assert answer.status == 404
        assert answer.header(b"x-turnlog-request-id")
        assert ask(web, "GET", "/livez", NAMED).status == 200
        assert ask(web, "GET", "/", NAMED).status == 301


def test_pages_alone_may_listen_where_others_reach_them_without_access_keys(
    session_database_url: str, upstreams: dict[str, str], tmp_path: Path
) -> None:
    variables = upstreams | {"TURNLOG_HOST": "0.0.0.0", "TURNLOG_ROLES": "dashboard"}
    with running_web(tmp_path, session_database_url, **variables) as web:
        assert ask(web, "GET", "/livez").status == 200
