"""The live pages over running processes: what is under way shows at once, to those who may see it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.e2e.configured import apply_and_wait, manage
from tests.e2e.people import signed_in
from tests.e2e.processes import WebProcess, running_web, until
from tests.e2e.wire import ask
from tests.upstream import FakeProvider

KEYS = {"ADA": "key-of-ada-in-red-0123456789", "BEN": "key-of-ben-in-blue-0123456789"}
DOCUMENT = """
providers:
  - {{name: anthropic, dialect: anthropic, address: "{url}", credentials: [{{name: a, secret: sk-ant-api03-pool}}]}}
teams: [{{name: red}}, {{name: blue}}]
api_keys:
  - {{name: ada, key_env: ADA, team: red}}
  - {{name: ben, key_env: BEN, team: blue}}
"""
PEOPLE = [("red", "member", "red"), ("ops", "ops", ""), ("nobody", "", "")]


class Pair(NamedTuple):
    """A process that serves pages and one that only relays, over one database."""

    gateway: WebProcess
    pages: WebProcess
    sessions: dict[str, str]


@pytest.fixture(scope="module")
def pair(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("live")
    with running_web(directory, session_database_url, **upstreams, **KEYS, TURNLOG_ROLES="gateway") as gateway:
        apply_and_wait(gateway, DOCUMENT.format(url=provider_thread.url))
        sessions = signed_in(gateway, PEOPLE)
        other = tmp_path_factory.mktemp("live-pages")
        shared = {"TURNLOG_ROLES": "dashboard", "TURNLOG_DATA_DIR": str(gateway.data_dir)}
        with running_web(other, session_database_url, **upstreams, **shared) as pages:
            yield Pair(gateway, pages, sessions)
        apply_and_wait(gateway, "providers: []\nroutes: []\napi_keys: []\nteams: []\n")


def socket_of(pair: Pair, who: str, origin: str | None = "") -> ClientConnection:
    """`origin`: None sends none, an empty one is that of the pages."""
    address = pair.pages.url.replace("http", "ws") + "/d/ws/live"
    headers = {"Cookie": f"sessionid={pair.sessions.get(who, '')}"}
    named = None if origin is None else Origin(origin or pair.pages.url)
    return connect(address, additional_headers=headers, origin=named, proxy=None)


def state(pair: Pair, who: str, boot: str = "", seq: int = 0) -> dict[str, Any]:
    answer = httpx.get(
        f"{pair.pages.url}/d/live/since/?boot={boot}&seq={seq}", cookies={"sessionid": pair.sessions[who]}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def say(pair: Pair, who: str, mark: str, scenario: bytes = b"text") -> None:
    tools = [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
    messages = [{"role": "user", "content": "use the tool Bash"}]
    asked = {"model": "claude-opus-5-5", "stream": True, "messages": messages, "tools": tools, "max_tokens": 9}
    body = json.dumps(asked).encode()
    headers = [
        (b"x-api-key", KEYS[who].encode()),
        (b"x-scenario", scenario),
        (b"x-claude-code-session-id", mark.encode()),
        (b"x-claude-code-agent-id", b"helper-1"),
    ]
    assert ask(pair.gateway, "POST", "/v1/messages", headers, body).status == 200


def heard(socket: ClientConnection, mark: str, ended: bool, seconds: float = 10.0) -> dict[str, Any]:
    """The first record of session `mark` that has ended, or has not."""
    deadline = time.monotonic() + seconds
    while True:
        told = json.loads(socket.recv(timeout=deadline - time.monotonic()))
        for record in told.get("records", ()):
            if record.get("session") == mark and ("ended" in record) is ended:
                return record


def watched(pair: Pair) -> None:
    """The gateway knows that somebody looks."""
    until(lambda: state(pair, "ops")["tellers"], 60, "a process that tells")


def test_a_request_shows_within_300_ms_of_its_start_and_moves_and_ends(pair: Pair) -> None:
    watched(pair)
    with socket_of(pair, "red") as socket:
        assert json.loads(socket.recv(timeout=5))["boot"]
        worst = []
        for number in range(3):
            mark = f"shows-{number}"
            client = threading.Thread(target=say, args=(pair, "ADA", mark, b"slow;ms=100;first_ms=200"))
            began = time.time()
            client.start()
            record = heard(socket, mark, ended=False)
            worst.append(time.time() - began)
            assert (record["key"], record["team"], record["model"]) == ("ada", "red", "claude-opus-5-5")
            assert record["agent"] == "helper-1"
            end = heard(socket, mark, ended=True)
            client.join(10)
            assert (end["outcome"], end["status"]) == ("completed", 200)
            assert end["bytes"] > 0
            assert end["ms"] > 200
        assert min(worst) < 0.3, worst


def test_a_tool_call_is_named_while_it_is_written(pair: Pair) -> None:
    watched(pair)
    with socket_of(pair, "red") as socket:
        client = threading.Thread(target=say, args=(pair, "ADA", "tools", b"slow;ms=150"))
        client.start()
        until(lambda: heard(socket, "tools", ended=False).get("doing", "").startswith("tool:"), 60, "a tool's name")
        client.join(10)


def test_each_sees_their_own_teams_requests_only(pair: Pair) -> None:
    watched(pair)
    with socket_of(pair, "red") as red, socket_of(pair, "ops") as ops:
        say(pair, "BEN", "of-blue")
        say(pair, "ADA", "of-red")
        assert heard(ops, "of-blue", ended=True)["team"] == "blue"
        teams = set()
        while "of-red" not in teams:
            told = json.loads(red.recv(timeout=10))
            for record in told.get("records", ()):
                assert record["team"] == "red"
                teams.add(record.get("session"))
    sessions = {record.get("session") for record in state(pair, "red")["records"]}
    assert "of-red" in sessions
    assert "of-blue" not in sessions
    part = httpx.get(f"{pair.pages.url}/d/agents/now/", cookies={"sessionid": pair.sessions["red"]})
    assert "of-blue" not in part.text


def test_what_was_missed_is_caught_up_by_number(pair: Pair) -> None:
    watched(pair)
    before = state(pair, "ops")
    say(pair, "ADA", "missed")
    told = until(
        lambda: next(
            (
                found
                for found in [state(pair, "ops", before["boot"], before["seq"])]
                if any(one.get("session") == "missed" and "ended" in one for one in found["records"])
            ),
            None,
        ),
        10,
        "the end",
    )
    assert not told["whole"]
    assert {one.get("session") for one in told["records"]} == {"missed"}
    assert state(pair, "ops", "another", 5)["whole"]
    assert state(pair, "ops", told["boot"], told["seq"])["records"] == []


@pytest.mark.parametrize(
    ("who", "origin"),
    [("red", "https://evil.example"), ("red", None), ("nobody", ""), ("stranger", "")],
    ids=["origin", "no origin", "no team", "no session"],
)
def test_a_socket_is_refused(pair: Pair, who: str, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused, socket_of(pair, who, origin):
        pass
    assert refused.value.response.status_code == 403


DISABLE = """
from django.contrib.auth.models import User
User.objects.filter(username="disabled").update(is_active=False)
"""


def sign_out(pair: Pair, session: str) -> None:
    with httpx.Client(base_url=pair.pages.url, cookies={"sessionid": session}) as client:
        token = client.get("/d/").text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        answer = client.post("/accounts/logout/", data={"csrfmiddlewaretoken": token})
        assert answer.status_code == 302, answer.text


def listen(socket: ClientConnection, deadline: float) -> None:
    while True:
        socket.recv(timeout=deadline - time.monotonic())


@pytest.mark.timeout(120)
def test_who_is_switched_off_or_signs_out_is_told_nothing_more(pair: Pair) -> None:
    """Within 30 seconds, and the time of one look at the database."""
    leaving = pair._replace(
        sessions=signed_in(pair.gateway, [("leaver", "member", "red"), ("disabled", "member", "red")])
    )
    with socket_of(leaving, "leaver") as leaver, socket_of(leaving, "disabled") as disabled:
        sign_out(pair, leaving.sessions["leaver"])
        manage(pair.gateway, "shell", "-c", DISABLE)
        deadline = time.monotonic() + 35
        for socket in (leaver, disabled):
            with pytest.raises(ConnectionClosed) as closed:
                listen(socket, deadline)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401


def test_a_refused_request_shows_too(pair: Pair) -> None:
    watched(pair)
    with socket_of(pair, "ops") as socket:
        body = json.dumps({"model": "m", "messages": []}).encode()
        headers = [(b"x-api-key", b"wrong"), (b"x-claude-code-session-id", b"refused")]
        assert ask(pair.gateway, "POST", "/v1/messages", headers, body).status == 401
        record = heard(socket, "refused", ended=True)
        assert (record["outcome"], record["status"]) == ("denied", 401)
