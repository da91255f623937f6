"""Every setting read from the environment: what is understood, what is refused, and with which words."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from proxy_project.environment import Environment, WrongEnvironment, describe, load_environment

FERNET_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()

UNDERSTOOD = {
    "a provider's address as it stands": ("TURNLOG_ANTHROPIC_URL", "https://api.example", "https://api.example"),
    "a provider's address with /v1": ("TURNLOG_OPENAI_URL", "https://api.example/v1", "https://api.example"),
    "a provider's address with /v1 and a slash": ("TURNLOG_OPENAI_URL", "https://a.example/v1/", "https://a.example"),
    "a provider's address below a path": ("TURNLOG_OPENAI_URL", "http://a.example:81/x/v1", "http://a.example:81/x"),
    "a path that only ends like v1": ("TURNLOG_OPENAI_URL", "https://a.example/av1", "https://a.example/av1"),
    "a port": ("TURNLOG_PORT", "0", 0),
    "one role": ("TURNLOG_ROLES", " gateway ,", ("gateway",)),
    "seconds with a fraction": ("TURNLOG_HEADER_TIMEOUT", "0.5", 0.5),
    "yes in words": ("TURNLOG_ALLOW_OPEN", "Yes", True),
    "no in figures": ("TURNLOG_ALLOW_OPEN", "0", False),
    "header names in any case": ("TURNLOG_TAG_HEADERS", "X-Team, x-cost", ("x-team", "x-cost")),
    "a choice in capitals": ("TURNLOG_CAPTURE_POLICY", "STRICT", "strict"),
    "two encryption keys": ("TURNLOG_ENCRYPTION_KEYS", f"{FERNET_KEY},{FERNET_KEY}", (FERNET_KEY, FERNET_KEY)),
    "a database on a socket": ("DATABASE_URL", "postgres://u@/n?host=%2Ftmp", "postgres://u@/n?host=%2Ftmp"),
    "a collector's address": ("TURNLOG_OTLP_ENDPOINT", "http://c.example:4318/", "http://c.example:4318/v1/traces"),
    "its whole address": ("TURNLOG_OTLP_ENDPOINT", "https://c.example/x/v1/traces", "https://c.example/x/v1/traces"),
    "headers of spans": (
        "TURNLOG_OTLP_HEADERS",
        "Authorization=Basic%20YWJj==, x-scope = a%2Cb",
        (("authorization", "Basic YWJj=="), ("x-scope", "a,b")),
    ),
    "a share": ("TURNLOG_OTLP_SAMPLE", "0.25", 0.25),
    "a Redis": ("REDIS_URL", "redis://localhost:6379/0", "redis://localhost:6379/0"),
}

REFUSED = {
    "a port in words": ("TURNLOG_PORT", "many", "needs a whole number"),
    "a port too high": ("TURNLOG_PORT", "65536", "needs a port number between 0 and 65535"),
    "a negative number": ("TURNLOG_SPOOL_MAX_BYTES", "-1", "needs a number of zero or more"),
    "no web process": ("TURNLOG_WEB_PROCESSES", "0", "needs a whole number of one or more"),
    "endless seconds": ("TURNLOG_IDLE_TIMEOUT", "inf", "needs a number of seconds of zero or more"),
    "seconds that are no number": ("TURNLOG_IDLE_TIMEOUT", "nan", "needs a number of seconds of zero or more"),
    "seconds with a unit": ("TURNLOG_IDLE_TIMEOUT", "10s", "needs a number of seconds, such as 10 or 0.5"),
    "a role that is none": ("TURNLOG_ROLES", "gateway,cook", "needs one or more of gateway, dashboard"),
    "no role": ("TURNLOG_ROLES", ",", "needs one or more of gateway, dashboard"),
    "maybe": ("TURNLOG_ALLOW_OPEN", "maybe", "needs 1 or 0"),
    "an address without a scheme": ("TURNLOG_ANTHROPIC_URL", "api.example", "needs a full address such as"),
    "an address with a password": ("TURNLOG_ANTHROPIC_URL", "https://u:p@x", "without user name"),
    "an address with a query": ("TURNLOG_ANTHROPIC_URL", "https://x/?a=b", "without user name, query or fragment"),
    "an address with a wrong port": ("TURNLOG_ANTHROPIC_URL", "https://x:99999", "needs a port between"),
    "another policy": ("TURNLOG_CAPTURE_POLICY", "never", "needs one of available, strict"),
    "another database": ("DATABASE_URL", "mysql://h/n", "needs the form postgresql://"),
    "a database without a name": ("DATABASE_URL", "postgresql://h/", "needs the form postgresql://"),
    "a database with a wrong port": ("DATABASE_URL", "postgresql://h:x/n", "needs a port between 0 and 65535"),
    "a collector without a scheme": ("TURNLOG_OTLP_ENDPOINT", "c.example:4318", "needs a full address such as"),
    "a collector with a password": ("TURNLOG_OTLP_ENDPOINT", "https://u:p@c", "without user name"),
    "a header without a value": ("TURNLOG_OTLP_HEADERS", "authorization", "needs name=value"),
    "a header with a line break": ("TURNLOG_OTLP_HEADERS", "a=b%0D%0Ac: d", "needs name=value"),
    "a header of ours": ("TURNLOG_OTLP_HEADERS", "Host=elsewhere", "cannot set host"),
    "a share in per cent": ("TURNLOG_OTLP_SAMPLE", "25", "needs a number from 0 to 1"),
    "a share that is no number": ("TURNLOG_OTLP_SAMPLE", "nan", "needs a number from 0 to 1"),
    "another cache": ("REDIS_URL", "memcached://h", "needs the form redis://host:6379/0"),
    "an encryption key too short": ("TURNLOG_ENCRYPTION_KEYS", "c2hvcnQ=", "needs keys of 32 bytes"),
    "an encryption key that is none": ("TURNLOG_ENCRYPTION_KEYS", "ü", "needs keys of 32 bytes"),
    "a file that is not there": ("TURNLOG_ACCESS_KEYS_FILE", "/nowhere", "cannot be read: No such file or directory"),
    "a secret's file that is not there": ("TURNLOG_SECRET_KEY_FILE", "/nowhere", "cannot be read from TURNLOG_SECRET"),
}


def field_of(variable: str) -> str:
    return variable.lower().removeprefix("turnlog_")


@pytest.mark.parametrize(("variable", "text", "value"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_what_is_understood(variable: str, text: str, value: Any) -> None:
    environment = load_environment({variable: text})
    assert getattr(environment, field_of(variable)) == value
    assert environment.sources[field_of(variable)] == variable


@pytest.mark.parametrize(("variable", "text", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(variable: str, text: str, words: str) -> None:
    with pytest.raises(WrongEnvironment) as caught:
        load_environment({variable: text})
    assert str(caught.value).startswith(variable.removesuffix("_KEY_FILE").removesuffix("_FILE"))
    assert words in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongEnvironment) as caught:
        load_environment({"TURNLOG_PORT": "x", "TURNLOG_ROLES": "x", "TURNLOG_LOG_LEVEL": "x"})
    assert [line.split(" ")[0] for line in str(caught.value).split("\n")] == [
        "TURNLOG_PORT",
        "TURNLOG_ROLES",
        "TURNLOG_LOG_LEVEL",
    ]


def test_an_empty_variable_is_as_good_as_none() -> None:
    environment = load_environment({"TURNLOG_PORT": "", "TURNLOG_ANTHROPIC_KEY_FILE": ""})
    assert environment == Environment()
    assert set(environment.sources.values()) == {"default"}


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-secret\n\n")
    environment = load_environment({"TURNLOG_ANTHROPIC_KEY_FILE": str(path)})
    assert environment.anthropic_key == "sk-secret"
    assert environment.sources["anthropic_key"] == f"TURNLOG_ANTHROPIC_KEY_FILE={path}"


def test_a_secret_set_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-secret")
    with pytest.raises(WrongEnvironment, match="is set twice"):
        load_environment({"TURNLOG_OPENAI_KEY": "a", "TURNLOG_OPENAI_KEY_FILE": str(path)})


def test_only_secrets_are_read_from_files(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.write_text("1")
    assert load_environment({"TURNLOG_PORT_FILE": str(path)}).port == Environment().port


def test_the_table_of_settings_masks_every_secret() -> None:
    secrets = {
        "TURNLOG_ANTHROPIC_KEY": "canary-a",
        "TURNLOG_OPENAI_KEY": "canary-b",
        "TURNLOG_SECRET_KEY": "canary-c",
        "TURNLOG_ADMIN_PASSWORD": "canary-d",
        "TURNLOG_ENCRYPTION_KEYS": FERNET_KEY,
        "DATABASE_URL": "postgresql://u:canary-e@h/n",
        "REDIS_URL": "redis://:canary-f@h",
    }
    rows = describe(load_environment(secrets))
    text = "\n".join(" ".join(row) for row in rows)
    assert "canary" not in text
    assert FERNET_KEY not in text
    assert {name for name, value, _ in rows if value == "(set)"} == set(secrets)


@pytest.mark.parametrize(
    ("host", "loopback", "base_url"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:8787"),
        ("127.1.2.3", True, "http://127.1.2.3:8787"),
        ("localhost", True, "http://localhost:8787"),
        ("::1", True, "http://[::1]:8787"),
        ("0.0.0.0", False, "http://127.0.0.1:8787"),
        ("::", False, "http://[::1]:8787"),
        ("10.0.0.7", False, "http://10.0.0.7:8787"),
    ],
)
def test_where_it_listens_and_is_reached(host: str, loopback: bool, base_url: str) -> None:
    environment = load_environment({"TURNLOG_HOST": host})
    assert environment.listens_on_loopback is loopback
    assert environment.base_url == base_url


@pytest.mark.parametrize("variable", ["TURNLOG_ANTHROPIC_KEY", "TURNLOG_OPENAI_KEY"])
def test_a_provider_key_makes_it_keyed(variable: str) -> None:
    assert load_environment({variable: "sk"}).holds_keys
    assert not load_environment({}).holds_keys
