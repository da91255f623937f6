"""What `manage.py run` prints, and how long it waits."""

from __future__ import annotations

import tomllib

import pytest

from proxy_project.embedded.announcement import announcement, misspelt_variables
from proxy_project.embedded.backoff import BackOff
from proxy_project.embedded.connect import connection_lines
from proxy_project.environment import load_environment

BASE = "http://127.0.0.1:8787"


def exports(text: str) -> dict[str, str]:
    pairs = [line.removeprefix("export ").split("=", 1) for line in text.split("\n") if line.startswith("export ")]
    return {name: value.strip("'") for name, value in pairs}


@pytest.mark.parametrize("keyed", [False, True], ids=["open", "keyed"])
def test_the_lines_for_each_client(keyed: bool) -> None:
    lines = dict(connection_lines(BASE, keyed=keyed))
    key = "<your Turnlog key>"
    claude = exports(lines["Claude Code"])
    assert claude.pop("ANTHROPIC_AUTH_TOKEN", None) == (key if keyed else None)
    assert claude == {
        "ANTHROPIC_BASE_URL": BASE,
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "ENABLE_TOOL_SEARCH": "true",
    }
    assert exports(lines["OpenAI SDKs"])["OPENAI_BASE_URL"] == f"{BASE}/v1"
    assert exports(lines["OpenAI SDKs"]).get("OPENAI_API_KEY") == (key if keyed else None)
    assert exports(lines["Anthropic SDKs"])["ANTHROPIC_BASE_URL"] == BASE


def test_the_block_for_codex_is_toml_with_its_own_provider() -> None:
    text = dict(connection_lines(BASE, keyed=True))["Codex, in ~/.codex/config.toml"]
    settings = tomllib.loads(text)
    provider = settings["model_providers"][settings["model_provider"]]
    assert provider == {
        "name": "Turnlog",
        "base_url": f"{BASE}/v1",
        "wire_api": "responses",
        "env_key": "OPENAI_API_KEY",
    }


def test_the_announcement_names_every_setting_and_shows_no_secret() -> None:
    environment = load_environment({"TURNLOG_OPENAI_KEY": "sk-canary", "TURNLOG_LOG_LEVEL": "debug"})
    text = "\n".join(announcement(environment, BASE, "/enter/x/y/", keyed=True))
    assert f"Turnlog is at {BASE}\n" in text
    assert f"{BASE}/enter/x/y/\n" in text
    assert "sk-canary" not in text
    assert text.count("TURNLOG_LOG_LEVEL") == 2, "once as the setting, once as its source"
    assert "Mode: keyed" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TURNLOG_PROT", ["TURNLOG_PROT is not a setting: is TURNLOG_PORT meant?"]),
        ("TURNLOG_ANTHROPIC_KEYS", ["TURNLOG_ANTHROPIC_KEYS is not a setting: is TURNLOG_ANTHROPIC_KEY meant?"]),
        ("TURNLOG_PORT", []),
        ("TURNLOG_OPENAI_KEY_FILE", []),
        ("TURNLOG_ACCESS_KEYS_FILE", []),
        ("TURNLOG_WHOLLY_ELSE", []),
        ("PORT", []),
    ],
)
def test_a_slip_of_the_pen_is_pointed_out(name: str, said: list[str]) -> None:
    assert misspelt_variables({name: "1"}) == said


def test_the_wait_doubles_to_ten_seconds_and_begins_anew_after_half_a_minute() -> None:
    back_off = BackOff()
    now = 100.0
    delays = []
    for _ in range(8):
        back_off.started(now)
        now += 1.0
        delays.append(back_off.ended(now))
        assert back_off.due_at == now + delays[-1]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    back_off.started(now)
    assert back_off.ended(now + 29.9) == 10.0
    back_off.started(now)
    assert back_off.ended(now + 30.0) == 0.2
