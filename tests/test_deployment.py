"""What is shipped for deployment agrees with the program: compose, image, settings, health checks, proxies."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy_project.environment import Environment, load_environment, variable_of
from tests.conftest import free_port
from tests.e2e.processes import ROOT

OURS = ("prepare", "gateway", "dashboard", "loader", "worker")
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.?\d*-[\w.-]+(@sha256:[0-9a-f]{64})?")
CUT_SECONDS = 5
"""How long the server takes at most to cut what is left after the drain."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    return loaded


def sample(name: str = ".env.sample") -> dict[str, str]:
    lines = (ROOT / name).read_text().split("\n")
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def test_every_setting_is_in_the_sample_with_its_default() -> None:
    text = (ROOT / ".env.sample").read_text()
    settings = {variable_of(item.name, item.metadata): item for item in fields(Environment) if item.name != "sources"}
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert sorted(settings.keys() - named.keys()) == []
    beside = {"POSTGRES_PASSWORD", "TURNLOG_SITE", "TURNLOG_PUBLISH", "TURNLOG_PUBLISH_PAGES"}
    assert sorted(named.keys() - settings.keys() - beside) == []
    commented = dict(re.findall(r"^#([A-Z_]+)=(.+)$", text, re.MULTILINE))
    defaults = load_environment({})
    for variable, value in commented.items():
        if variable in settings and not value.startswith("/run/secrets"):
            assert getattr(load_environment({variable: value}), settings[variable].name) == getattr(
                defaults, settings[variable].name
            ), variable


def test_the_sample_is_production_and_the_deployment_check_is_content(tmp_path: Path) -> None:
    variables = sample() | {
        "DATABASE_URL": f"postgresql://turnlog:{secrets.token_urlsafe(24)}@127.0.0.1/turnlog",
        "TURNLOG_DATA_DIR": str(tmp_path),
        "TURNLOG_HOST": "0.0.0.0",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_every_service_of_ours_is_well_checked_and_unprivileged(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "data:/data" in service["volumes"], "one spool and one set of secrets for all of a host"
        assert service["command"][0] in ("web", "loader", "worker", "prepare")
        assert ("healthcheck" in service) == (name != "prepare")
    for name, service in compose["services"].items():
        assert name == "prepare" or ("healthcheck" in service and "stop_grace_period" in service) or name == "redis"


def test_gateway_and_pages_are_apart(compose: dict[str, Any]) -> None:
    roles = {name: compose["services"][name]["environment"]["TURNLOG_ROLES"] for name in ("gateway", "dashboard")}
    assert roles == {"gateway": "gateway", "dashboard": "dashboard"}
    for name in ("gateway", "dashboard"):
        [port] = compose["services"][name]["ports"]
        assert ":-127.0.0.1:" in port, "published on this host alone, unless somebody says otherwise"


def test_the_engine_waits_for_the_drain(compose: dict[str, Any]) -> None:
    defaults = load_environment({})
    needed = defaults.drain_grace + defaults.drain_seconds + CUT_SECONDS
    assert seconds(compose["services"]["gateway"]["stop_grace_period"]) > needed
    assert seconds(compose["services"]["caddy"]["stop_grace_period"]) > needed
    pages = compose["services"]["dashboard"]
    settings = load_environment({name: value for name, value in pages["environment"].items() if "DRAIN" in name})
    assert seconds(pages["stop_grace_period"]) > settings.drain_grace + settings.drain_seconds + CUT_SECONDS
    assert seconds(compose["services"]["loader"]["stop_grace_period"]) > 30


def test_the_loader_stands_back_for_the_gateway(compose: dict[str, Any]) -> None:
    assert compose["services"]["loader"]["cpu_shares"] < 1024
    assert "cpu_shares" not in compose["services"]["gateway"]


def test_images_are_pinned_and_none_of_ours_is_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert name in OURS or PINNED.fullmatch(service["image"]), name
    dockerfile = (ROOT / "Dockerfile").read_text()
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert PINNED.fullmatch(base)
    stages = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert stages == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)[-1] == "turnlog"
    assert "--require-hashes -r uv.txt" in dockerfile
    assert "uv sync --frozen --no-dev" in dockerfile
    assert (ROOT / "deploy" / "uv.txt").read_text().count("--hash=sha256:") == 2


def test_all_that_is_copied_is_there_and_let_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().split("\n") if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name
            assert name in let_through, name


@pytest.mark.parametrize("name", ["deploy/Caddyfile", "deploy/nginx.conf"])
def test_proxies_neither_buffer_nor_compress(name: str) -> None:
    lines = [line.strip() for line in (ROOT / name).read_text().split("\n") if not line.strip().startswith("#")]
    if name.endswith("Caddyfile"):
        assert "flush_interval -1" in lines
        assert not [line for line in lines if line.startswith("encode")]
        return
    for needed in ("proxy_buffering off;", "proxy_request_buffering off;", "gzip off;", "proxy_next_upstream off;"):
        assert needed in lines
    [patience] = [line.split()[1] for line in lines if line.startswith("proxy_read_timeout")]
    defaults = load_environment({})
    assert seconds(patience.rstrip(";")) > max(defaults.header_timeout, defaults.idle_timeout)


def health(kind: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(ROOT / "deploy" / "health.py"), kind]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=20)


def test_the_loader_is_well_while_it_holds_its_spool(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    assert "has not begun" in health("loader", TURNLOG_DATA_DIR=str(tmp_path)).stderr
    spool.mkdir()
    with (spool / "loader.lock").open("w") as lock:
        assert health("loader", TURNLOG_DATA_DIR=str(tmp_path)).returncode == 1
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert health("loader", TURNLOG_DATA_DIR=str(tmp_path)).returncode == 0


def test_web_and_worker_say_what_they_miss(tmp_path: Path) -> None:
    port = str(free_port())
    assert "no answer" in health("web", TURNLOG_PORT=port).stderr
    done = health("worker", DATABASE_URL="", REDIS_URL=f"redis://127.0.0.1:{port}/0")
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "REDIS_URL")
    assert health("worker").returncode == 0
