"""A request is sent once more from its page: who may, what is asked before, and what is written down."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from dashboard.models import AuditEvent
from dashboard.views import replay as view
from gateway import replaying
from gateway.history.replay import Replay, plan_replay
from gateway.models import Member, Redaction, RequestLog
from gateway.replaying import MOST_AT_ONCE, Begun, Busy, Unreachable, begin_replay
from tests.dashboard.people import ROLES, client_of
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db

NEW = uuid.UUID(int=(7 << 76) + 1)
REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "the walrus sings"}]}
HEADERS = [("authorization", "fingerprint"), ("cookie", "c=1"), ("anthropic-version", "2023-06-01")]
Begins = Callable[[Replay, uuid.UUID, float], Begun | None]


@pytest.fixture
def of_alpha() -> uuid.UUID:
    return keep_one(Sample(REQUEST, request_headers=HEADERS, team="alpha"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[uuid.UUID]:
    """What was replayed; no gateway runs here."""
    found: list[uuid.UUID] = []

    def begin(plan: Replay, exchange_id: uuid.UUID, wait_seconds: float) -> Begun:
        found.append(exchange_id)
        return Begun(200, NEW)

    monkeypatch.setattr(view, "begin_replay", begin)
    return found


def address(request_id: uuid.UUID) -> str:
    return f"/d/r/{request_id}/replay/"


def last_noted() -> str:
    return str(AuditEvent.objects.order_by("id").values_list("details", flat=True).last())


def begins(monkeypatch: pytest.MonkeyPatch, begin: Begins) -> None:
    monkeypatch.setattr(view, "begin_replay", begin)


@pytest.mark.parametrize("role", ROLES)
def test_only_who_runs_the_gateway_and_reads_every_team_replays(
    role: str, of_alpha: uuid.UUID, sent: list[uuid.UUID]
) -> None:
    client = client_of(role)
    answer = client.post(address(of_alpha))
    may = role in ("admin", "superuser")
    assert sent == ([of_alpha] if may else [])
    assert (answer.headers.get("Location") == f"/d/r/{NEW}/") == may
    page = client.get(f"/d/r/{of_alpha}/")
    assert (f'href="{address(of_alpha)}"' in page.content.decode()) == may


def test_reading_every_team_is_not_enough_and_with_a_place_in_operation_it_is(
    of_alpha: uuid.UUID, sent: list[uuid.UUID]
) -> None:
    reader = User.objects.create_user("auditor")
    reader.user_permissions.add(Permission.objects.get(codename="view_every_team"))
    client = Client()
    client.force_login(reader)
    assert client.post(address(of_alpha)).status_code == 403
    Member.objects.create(user=reader, team=None, role=Member.Role.OPS)
    assert client.post(address(of_alpha)).status_code == 302
    assert sent == [of_alpha]


def test_nobody_replays_what_is_partly_hidden_from_them(of_alpha: uuid.UUID, sent: list[uuid.UUID]) -> None:
    Redaction.objects.create(name="animals", patterns=["walrus"], enabled=True)
    assert client_of("admin").post(address(of_alpha)).status_code == 403
    Redaction.objects.update(revealed_by=["admin"])
    assert client_of("admin").post(f"{address(of_alpha)}?reveal=1").status_code == 403
    assert f'href="{address(of_alpha)}"' not in client_of("admin").get(f"/d/r/{of_alpha}/?reveal=1").content.decode()
    assert sent == []


def test_pages_without_a_gateway_beside_them_replay_nothing(
    of_alpha: uuid.UUID, sent: list[uuid.UUID], settings: Any
) -> None:
    settings.TURNLOG = replace(settings.TURNLOG, roles=("dashboard",))
    assert client_of("admin").post(address(of_alpha)).status_code == 403
    assert sent == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcome": "denied"}, "it was refused here and never sent"),
        ({"provider": ""}, "it went to no provider"),
    ],
)
def test_what_was_never_sent_is_not_sent_again(
    of_alpha: uuid.UUID, sent: list[uuid.UUID], changes: dict[str, str], reason: str
) -> None:
    RequestLog.objects.filter(id=of_alpha).update(**changes)
    assert reason in client_of("admin").post(address(of_alpha)).content.decode()
    assert sent == []


def test_it_is_asked_for_with_where_it_goes_and_that_it_costs(of_alpha: uuid.UUID, sent: list[uuid.UUID]) -> None:
    text = client_of("admin").get(address(of_alpha)).content.decode()
    for expected in ("Replay to anthropic", "The provider charges for real tokens", "43,120", "POST /v1/messages"):
        assert expected in text
    assert "walrus" not in text
    assert sent == []


def test_who_replayed_what_where_is_written_down(of_alpha: uuid.UUID, sent: list[uuid.UUID]) -> None:
    client_of("admin").post(address(of_alpha))
    events = AuditEvent.objects.filter(action="changed").order_by("id")
    assert {(event.actor_name, event.target) for event in events} == {("admin", f"replay of request {of_alpha}")}
    assert [event.details for event in events] == ["asked for, to anthropic", f"to anthropic, 200, as {NEW}"]


def test_what_was_not_kept_whole_says_so_and_is_not_sent(of_alpha: uuid.UUID, sent: list[uuid.UUID]) -> None:
    RequestLog.objects.filter(id=of_alpha).update(capture="lost_disk")
    client = client_of("admin")
    for answer in (client.get(address(of_alpha)), client.post(address(of_alpha))):
        assert "its bytes were not all kept: lost_disk" in answer.content.decode()
        assert "<button" not in answer.content.decode().split('class="rd-strip"')[1].split("</section>")[0]
    assert sent == []


def test_a_path_that_is_none_leads_to_no_other_host(of_alpha: uuid.UUID, sent: list[uuid.UUID]) -> None:
    RequestLog.objects.filter(id=of_alpha).update(path="@evil.example/v1/messages")
    assert "its path is none" in client_of("admin").post(address(of_alpha)).content.decode()
    assert sent == []


def test_an_answer_that_takes_long_to_begin_is_found_among_what_is_related(
    of_alpha: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins(monkeypatch, lambda plan, exchange_id, wait: None)
    answer = client_of("admin").post(address(of_alpha))
    assert answer["Location"] == f"/d/r/{of_alpha}/?tab=related"
    assert last_noted() == "to anthropic, not answered yet"


@pytest.mark.parametrize("problem", [Unreachable("nobody listens there"), Busy("as many as may be")])
def test_a_replay_that_does_not_begin_says_why(
    of_alpha: uuid.UUID, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(plan: Replay, exchange_id: uuid.UUID, wait_seconds: float) -> Begun:
        raise problem

    begins(monkeypatch, begin)
    answer = client_of("admin").post(address(of_alpha))
    assert answer.status_code == 503
    assert str(problem) in answer.content.decode()
    assert last_noted() == f"to anthropic, {problem}"


def test_an_answer_without_a_request_is_told(of_alpha: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    begins(monkeypatch, lambda plan, exchange_id, wait: Begun(503, None))
    answer = client_of("admin").post(address(of_alpha))
    assert answer.status_code == 502
    assert "The gateway answered 503" in answer.content.decode()


class Listening(ThreadingHTTPServer):
    """In the gateway's place: the head of an answer at once, the rest when `goes_on` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.goes_on, self.whole = threading.Event(), threading.Event()
        self.got: dict[str, Any] = {}


class Answering(BaseHTTPRequestHandler):
    server: Listening

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got = {"body": body, "headers": dict(self.headers.items()), "path": self.path}
        self.send_response(200)
        self.send_header("x-turnlog-request-id", str(NEW))
        self.send_header("content-length", "4")
        self.end_headers()
        self.server.goes_on.wait(30)
        self.wfile.write(b"done")
        self.wfile.flush()
        # The other side closes when it has read all of it.
        self.connection.settimeout(30)
        if not self.rfile.read(1):
            self.server.whole.set()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    server = Listening()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(replaying, "own_address", lambda: f"http://127.0.0.1:{server.server_port}")
    yield server
    server.goes_on.set()
    server.shutdown()
    server.server_close()
    thread.join(30)


def test_the_same_bytes_go_out_without_the_caller_s_secrets_and_are_read_to_the_end(
    of_alpha: uuid.UUID, gateway: Listening
) -> None:
    plan = plan_replay(of_alpha)
    assert begin_replay(plan, of_alpha, 30) == Begun(200, NEW)
    assert not gateway.whole.is_set()
    gateway.goes_on.set()
    assert gateway.whole.wait(30)
    headers = {name.lower(): value for name, value in gateway.got["headers"].items()}
    assert gateway.got["body"] == plan.body
    assert gateway.got["path"] == "/v1/messages?beta=true"
    assert headers["x-turnlog-key"].startswith("tle_")
    assert headers["anthropic-version"] == "2023-06-01"
    assert not {"authorization", "cookie"} & headers.keys()


def test_no_more_than_a_few_are_under_way_at_once(of_alpha: uuid.UUID, gateway: Listening) -> None:
    plan = plan_replay(of_alpha)
    for _ in range(MOST_AT_ONCE):
        begin_replay(plan, of_alpha, 30)
    with pytest.raises(Busy):
        begin_replay(plan, of_alpha, 30)
    gateway.goes_on.set()
    # Each has its place back when it has read its answer.
    places = [replaying._free.acquire(timeout=30) for _ in range(MOST_AT_ONCE)]
    assert places == [True] * MOST_AT_ONCE
    for _ in places:
        replaying._free.release()


def test_a_gateway_that_does_not_run_is_named(of_alpha: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as closed:
        port = closed.server_port
    monkeypatch.setattr(replaying, "own_address", lambda: f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match="Is the gateway running"):
        begin_replay(plan_replay(of_alpha), of_alpha, 30)


def test_what_else_goes_wrong_is_told_at_once(of_alpha: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    def own_tls() -> bool:
        raise PermissionError("the key may not be read")

    monkeypatch.setattr(replaying, "own_tls", own_tls)
    with pytest.raises(Unreachable, match="PermissionError"):
        begin_replay(plan_replay(of_alpha), of_alpha, 30)
