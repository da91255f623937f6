"""`manage.py run`, all of it, as real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.embedded.commands import Running, fetch, manage, processes_on, running, wait_until, wait_until_nothing_runs

UP = r"OpenAI SDKs:\n"
AWAY = "http://127.0.0.1:9"


def base_of(command: Running) -> str:
    command.wait_for(UP)
    return command.wait_for(r"Turnlog is at (\S+)")[1]


def relay_something(base: str) -> None:
    """The provider is not there: the gateway says so, and the exchange is in the history."""
    headers = {"x-api-key": "sk-ant-test", "content-type": "application/json"}
    body = b'{"model":"claude-test","max_tokens":1,"messages":[]}'
    with pytest.raises(urllib.error.HTTPError, match="502"):
        fetch(f"{base}/v1/messages", data=body, headers=headers)


def test_from_nothing_to_the_first_request_and_a_clean_end(empty_data_dir: Path) -> None:
    with running(empty_data_dir, "run", TURNLOG_ANTHROPIC_URL=AWAY, TURNLOG_OPENAI_KEY="") as command:
        base = base_of(command)
        assert json.loads(fetch(f"{base}/livez")[1])["status"]
        assert f"export ANTHROPIC_BASE_URL={base}\n" in command.output
        assert re.search(rf"TURNLOG_ANTHROPIC_URL +{AWAY} +TURNLOG_ANTHROPIC_URL\n", command.output)
        assert re.search(r"TURNLOG_DRAIN_GRACE +0 +manage\.py run\n", command.output)
        assert "\x1b[" not in command.output, "colours without a terminal"
        link = command.wait_for(r"Sign in to the admin, once, within a day: (\S+)")[1]
        check_sign_in(link)
        relay_something(base)
        said = command.wait_for(r"first request: (.+)\n")[1]
        assert re.match(rf"POST /v1/messages claude-test 502 \w+ in \d+ ms → {base}/admin/", said)
        beside = manage(empty_data_dir, "shell", "--no-imports", "-c", COUNT)
        assert beside.stdout == "1\n", beside.stderr
        command.signal(signal.SIGINT)
        assert command.wait() == 0
        wait_until_nothing_runs(empty_data_dir, 0.5)
        assert command.output.endswith("stopped\n")


COUNT = "from gateway.models import RequestLog; print(RequestLog.objects.count())"


def check_sign_in(link: str) -> None:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(urllib.request.Request(link, method="HEAD"), timeout=20) as response:
        assert response.status == 200
    with opener.open(link, timeout=20) as response:
        assert response.url.endswith("/admin/")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link, timeout=20)


def test_dead_parts_are_started_again_and_the_second_signal_ends_at_once(data_dir: Path) -> None:
    with running(data_dir, "run", TURNLOG_ANTHROPIC_URL=AWAY) as command:
        base = base_of(command)
        since = len(command.output)
        killed = {word: command.child(word) for word in ("web", "loader", "worker", "postgres")}
        for process in killed.values():
            process.kill()
        assert fetch(f"{base}/livez")[0] == 200, "a client that connects meanwhile waits, it is not refused"
        for name in ("web", "loader", "worker"):
            command.wait_for(rf"{name} \(process {killed[name].pid}\) ended with signal 9 \(SIGKILL\)", since=since)
            command.wait_for(rf"{name} is process \d+", since=since)
        command.wait_for(r"PostgreSQL is running", since=since)
        hold(command, data_dir)
        end_twice(command, base)
        wait_until_nothing_runs(data_dir, 5)


def hold(command: Running, data_dir: Path) -> None:
    file = data_dir / "postgres" / "hold"
    file.touch()
    command.wait_for("PostgreSQL is on hold: stopping it")
    wait_until(lambda: not any(is_server(process) for process in processes_on(data_dir)))
    file.unlink()
    command.wait_for(r"no longer on hold: starting it\n(.*\n)*?PostgreSQL is running")


def is_server(process: psutil.Process) -> bool:
    """One that ends while it is asked is none."""
    try:
        return "postgres" in process.name()
    except psutil.NoSuchProcess:
        return False


def end_twice(command: Running, base: str) -> None:
    """A worker that is stopped cannot end by itself, so that the first signal alone would wait."""
    web = command.child("web")
    command.child("worker").send_signal(signal.SIGSTOP)
    command.signal(signal.SIGTERM)
    command.wait_for("draining: waiting for running requests")
    wait_until(lambda: not web.is_running())
    with pytest.raises(urllib.error.URLError):
        fetch(f"{base}/livez")
    command.signal(signal.SIGINT)
    assert command.wait(15) == 130
    assert command.output.endswith("ended at once (SIGINT)\n")


def test_a_killed_supervisor_leaves_nothing_in_the_way_of_the_next(data_dir: Path) -> None:
    with running(data_dir, "run") as first:
        base_of(first)
        left = sorted(child.pid for child in first.children() if not is_server(child))
        server = first.child("postgres").pid
        second = manage(data_dir, "run")
        assert second.returncode == 1
        assert f"it runs already on {data_dir}" in second.stdout
        first.signal(signal.SIGKILL)
        first.process.wait(10)
        with running(data_dir, "run") as third:
            base_of(third)
            said = third.wait_for(r"ended what an earlier start left running \(process (.+)\)")[1]
            assert sorted(map(int, said.split(", "))) == left
            assert psutil.pid_exists(server), "the server of the killed supervisor is taken over"
            third.signal(signal.SIGTERM)
            assert third.wait() == 0
        wait_until_nothing_runs(data_dir, 0.5)


def test_a_busy_port_is_refused_with_its_owner_and_the_mend(empty_data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = manage(empty_data_dir, "run", TURNLOG_PORT=str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken by" in done.stdout
    assert f"(process {os.getpid()})" in done.stdout
    assert re.search(r"TURNLOG_PORT=\d+", done.stdout)
    assert processes_on(empty_data_dir) == []


def test_open_mode_on_an_address_others_reach_is_refused_with_the_mend(data_dir: Path) -> None:
    done = manage(data_dir, "run", TURNLOG_HOST="0.0.0.0")
    assert done.returncode == 1
    assert "TURNLOG_ACCESS_KEYS_FILE" in done.stdout
    assert "TURNLOG_ALLOW_OPEN=1" in done.stdout
    wait_until_nothing_runs(data_dir, 0.5)


def test_a_web_process_that_cannot_start_fails_the_start(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("no equals sign here\n")
    done = manage(data_dir, "run", TURNLOG_ACCESS_KEYS_FILE=str(tmp_path / "keys"))
    assert done.returncode == 1
    assert "web ended with exit status 1 instead of starting; it says why above" in done.stdout
    wait_until_nothing_runs(data_dir, 0.5)


def test_a_database_that_never_answered_fails_the_start(empty_data_dir: Path) -> None:
    done = manage(empty_data_dir, "run", DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    assert done.returncode == 1
    assert "Turnlog does not start: the database cannot be used: " in done.stdout
    assert processes_on(empty_data_dir) == []
