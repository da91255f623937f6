"""What a redaction hides is nowhere to be read: no page, no copy, no download, no search, no export, no read API."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from dashboard.models import AuditEvent
from dashboard.veiling import veiling
from gateway.configuration.sealing import access_key_pepper
from gateway.dialects.names import Outcome
from gateway.history.header_dry_run import dry_run
from gateway.history.search.find import search
from gateway.history.store import rebuild_request, rebuild_response
from gateway.history.veil import Veil, current, curtain_of, drawn
from gateway.history.visibility import EVERYTHING
from gateway.models import ApiKey, HeaderRule, Redaction, Team
from gateway.policy.keys import digest_key
from gateway.tasks.search import index_new_text
from tests.dashboard.people import client_of, person
from tests.exchanges import Sample, keep_one, message_stream

pytestmark = pytest.mark.django_db

KEY = "sk-ant-api03-" + "Ab3" * 10
WORD = "Contoso"
SESSION = "7a1de8a2-0b5c-4d8e-9c55-1f6f6a1c0001"
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": f"stdout {KEY}"}
CALL = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": f"echo {KEY} {WORD}"}}
BODY = {
    "model": "claude-opus-5-5",
    "stream": True,
    "metadata": {"user_id": f"u {WORD}"},
    "system": [{"type": "text", "text": f"Work for {WORD} with {KEY}."}],
    "messages": [
        {"role": "user", "content": f"My key is {KEY}, says {WORD}. Visible."},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [RESULT]},
    ],
}
HEADERS = [
    ("x-claude-code-session-id", SESSION),
    ("x-customer", WORD),
    ("user-agent", f"agent/1 ({WORD})"),
    ("x-project", WORD),
]
FAILURE = {"type": "error", "error": {"type": "overloaded_error", "message": f"{WORD} has too many. Visible."}}


@pytest.fixture
def kept() -> Any:
    Redaction.objects.create(name="keys", secrets=True, revealed_by=["admin", "lead"])
    Redaction.objects.create(name="customers", patterns=[WORD])
    sample = Sample(BODY, message_stream(f"Yes {KEY} of {WORD}. Visible."), team="alpha", request_headers=HEADERS)
    request_id = keep_one(sample)
    index_new_text()
    return request_id


def addresses(request_id: Any) -> list[str]:
    tabs = ("messages", "raw", "timeline", "headers", "limits", "cost", "related", "grade")
    return [
        *(f"/d/r/{request_id}/?tab={tab}" for tab in tabs),
        *(f"/d/r/{request_id}/?tab=raw&form={form}" for form in ("raw", "hex")),
        f"/d/r/{request_id}/peek/",
        *(f"/d/r/{request_id}/copy/{form}/" for form in ("curl", "json", "markdown")),
        *(f"/d/r/{request_id}/raw/{part}/" for part in ("request", "response")),
        "/d/c/",
        *(f"/d/c/{SESSION}{query}" for query in ("", "?copy=json", "?copy=markdown", f"?diff={request_id}")),
        "/d/requests/",
        "/d/errors/",
        f"/api/v1/requests/{request_id}",
    ]


def holds(body: bytes, *secrets: str) -> list[str]:
    return [secret for secret in secrets if secret.encode() in body or secret.encode().hex(" ") in body.decode()]


@pytest.mark.parametrize("role", ["member", "lead", "admin", "superuser"])
def test_nothing_hidden_stands_on_any_page(kept: Any, role: str) -> None:
    client = client_of(role)
    seen = b""
    for address in addresses(kept):
        answer = client.get(address)
        assert answer.status_code < 500, address
        assert holds(answer.content, KEY, WORD, KEY[:20]) == [], address
        seen += answer.content
    assert b"Visible." in seen
    assert b"[hidden: keys]" in seen
    assert b"[hidden: customers]" in seen


def test_what_is_stored_does_not_change(kept: Any) -> None:
    client_of("member").get(f"/d/r/{kept}/")
    assert KEY.encode() in rebuild_request(kept)
    assert b"Visible" in rebuild_response(kept)


def test_who_may_reveals_what_they_may_and_it_is_written_down(kept: Any) -> None:
    page = f"/d/r/{kept}/"
    member, lead, admin = client_of("member"), client_of("lead"), client_of("admin")
    assert b"Show them" not in member.get(page).content
    assert holds(member.get(page + "?reveal=1").content, KEY, WORD) == []
    assert b"Show them" in lead.get(page).content
    seen = lead.get(page + "?reveal=1").content
    assert holds(seen, KEY, WORD) == [KEY]
    assert holds(admin.get(page + "?reveal=1").content, KEY, WORD) == [KEY, WORD]
    rows = AuditEvent.objects.filter(action="revealed").order_by("id").values_list("actor_name", "target", "details")
    assert list(rows) == [
        ("lead", page, "hidden by keys"),
        ("admin", page, "hidden by customers, keys"),
    ]


def test_exact_bytes_are_whole_or_not_given(kept: Any) -> None:
    address = f"/d/r/{kept}/raw/request/"
    for role in ("member", "lead"):
        assert client_of(role).get(address).status_code == 403
        # The lead may see one of the two things that are hidden, and bytes cannot be shown in part.
        assert client_of(role).get(address + "?reveal=1").status_code == 403
    assert client_of("admin").get(address).status_code == 403
    assert client_of("admin").get(address + "?reveal=1").content == rebuild_request(kept)


def test_another_teams_words_are_not_hidden_by_a_rule_about_this_one() -> None:
    Redaction.objects.create(name="keys", secrets=True, teams=["beta"])
    request_id = keep_one(Sample(BODY, team="alpha"))
    assert KEY.encode() in client_of("member").get(f"/d/r/{request_id}/").content
    Redaction.objects.update(enabled=True, teams=["alpha"])
    assert KEY.encode() not in client_of("member").get(f"/d/r/{request_id}/").content
    Redaction.objects.update(enabled=False)
    assert KEY.encode() in client_of("member").get(f"/d/r/{request_id}/").content


def test_a_search_does_not_tell_what_is_hidden(kept: Any) -> None:
    assert search(f'"{KEY}"', EVERYTHING).count == 1
    with drawn(Veil(person("member"))):
        for asked in (f'"{KEY}"', f'"{KEY[:16]}"', '"ntos"', WORD, "cont*"):
            assert search(asked, EVERYTHING).hits == [], asked
        (hit,) = search("visible", EVERYTHING).hits
        assert KEY not in str(hit)


def test_a_key_that_reads_the_api_sees_what_is_shown(kept: Any) -> None:
    team = Team.objects.get_or_create(name="alpha")[0]
    ApiKey.objects.create(name="robot", team=team, digest=digest_key(access_key_pepper(), b"tl_robot"))
    answer = Client().get(f"/api/v1/requests/{kept}?reveal=1", headers={"x-api-key": "tl_robot"})
    assert answer.status_code == 200
    assert "[hidden: keys]" in json.dumps(answer.json())
    assert holds(answer.content, KEY, WORD) == []


def test_a_list_of_the_api_shows_what_a_page_would(kept: Any) -> None:
    team = Team.objects.get_or_create(name="alpha")[0]
    ApiKey.objects.create(name="robot", team=team, digest=digest_key(access_key_pepper(), b"tl_robot"))
    answer = Client().get("/api/v1/requests", headers={"x-api-key": "tl_robot"})
    assert answer.json()["requests"][0]["userAgent"] == "agent/1 ([hidden: customers])"
    assert holds(answer.content, KEY, WORD) == []


def test_the_facts_of_a_request_are_hidden_with_their_links() -> None:
    Redaction.objects.create(name="customers", patterns=[WORD], revealed_by=["admin"])
    sample = Sample(BODY, team="alpha", request_headers=HEADERS[1:], response_headers=[("request-id", f"req_{WORD}")])
    page = f"/d/r/{keep_one(sample)}/"
    seen = client_of("member").get(page).content.decode()
    assert "agent/1 ([hidden: customers])" in seen
    assert "project=[hidden: customers]" in seen
    assert "req_[hidden: customers]" in seen
    assert WORD not in seen
    assert f"agent/1 ({WORD})" in client_of("admin").get(page + "?reveal=1").content.decode()


def test_what_a_provider_said_of_an_error_is_hidden_in_the_drawer_too() -> None:
    Redaction.objects.create(name="customers", patterns=[WORD])
    sample = Sample(
        BODY,
        [json.dumps(FAILURE).encode()],
        team="alpha",
        status=529,
        outcome=Outcome.UPSTREAM_ERROR,
        response_headers=[("content-type", "application/json"), ("anthropic-ratelimit-requests-limit", WORD)],
    )
    request_id = keep_one(sample)
    for address in ("peek/", "", "?tab=limits", "?tab=timeline", "?tab=cost"):
        seen = client_of("member").get(f"/d/r/{request_id}/{address}").content.decode()
        assert "[hidden: customers] has too many. Visible." in seen, address
        assert WORD not in seen, address


def test_the_dry_run_of_a_header_rule_hides_both_sides_of_what_it_compares(kept: Any) -> None:
    rule = HeaderRule.objects.create(
        name="r", direction="request", header="x-customer", action="replace", find=WORD, value=f"{WORD}-2"
    )
    dry_run(rule, 100, "root")
    client = client_of("superuser")
    User.objects.update(is_staff=True)
    seen = client.get(f"/admin/gateway/headerrule/{rule.pk}/dry-run/").content.decode()
    table = seen[seen.index("What the rule would change") :]
    assert "[hidden: customers]<br>" in table
    assert "[hidden: customers]-2<br>" in table
    assert WORD not in table


def test_a_stream_that_cannot_be_folded_is_not_given_in_pieces() -> None:
    Redaction.objects.create(name="keys", secrets=True)
    events = [b'event: odd\ndata: {"part": "' + KEY[at : at + 8].encode() + b'"}\n\n' for at in (0, 8, 16)]
    request_id = keep_one(Sample(BODY, events, team="alpha"))
    answer = client_of("member").get(f"/api/v1/requests/{request_id}?chunks=true")
    assert answer.status_code == 200
    assert KEY[:8].encode() not in answer.content


@pytest.mark.parametrize("form", ["jsonl", "har", "parquet"])
def test_an_export_is_exact_unless_it_is_to_be_redacted(kept: Any, form: str, tmp_path: Path) -> None:
    exact, redacted = tmp_path / "exact", tmp_path / "redacted"
    for path, options in ((exact, []), (redacted, ["--redacted"])):
        call_command("history", "export", "--format", form, "-o", str(path), *options, stderr=io.StringIO())
    assert KEY in contents(exact)
    assert "[hidden: keys]" in contents(redacted)
    assert "[hidden: customers]" in contents(redacted)
    assert holds(contents(redacted).encode(), KEY, WORD, "Ab3Ab3Ab3") == []


def contents(path: Path) -> str:
    if path.read_bytes()[:4] != b"PAR1":
        return path.read_text()
    table = read_parquet(io.BytesIO(path.read_bytes())).read_all()
    return str([table[name].to_pylist() for name in table.column_names])


def test_who_asks_outside_of_a_page_sees_everything(kept: Any) -> None:
    assert current.get() is None
    assert curtain_of("alpha") is None


def test_a_body_that_is_streamed_is_written_behind_the_veil(kept: Any) -> None:
    """The middleware of both kinds: the iterator runs after the view has returned."""

    def view(request: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(iter(lambda: str(curtain_of("alpha") is not None), None))

    request = RequestFactory().get("/")
    request.user = person("member")
    answer = veiling(view)(request)
    try:
        assert next(iter(answer)) == b"True"
    finally:
        current.set(None)


async def test_the_middleware_is_asynchronous_where_its_server_is() -> None:
    async def answer(request: Any) -> HttpResponse:
        return HttpResponse(str(current.get() is not None))

    request = RequestFactory().get("/")
    request.user = None
    found = await veiling(answer)(request)
    assert found.content == b"True"
