"""The page of one request, its download, and what a browser must never be handed."""

from __future__ import annotations

import gzip
import html
import json
import re
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gateway.dialects.names import Dialect, Outcome
from gateway.history.transcript import TURNS_SHOWN
from gateway.models import StoredBody
from tests.dashboard.people import ROLES, client_of
from tests.exchanges import Sample, keep, keep_one, message_stream

pytestmark = pytest.mark.django_db

LIST = "/d/r/"
ADMIN = "/admin/gateway/requestlog/"
REQUEST: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "stream": True,
    "max_tokens": 128_000,
    "system": [{"type": "text", "text": "You are a careful engineer."}],
    "tools": [{"name": "Bash", "description": "Runs a command.", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "<system-reminder>today is Saturday</system-reminder>"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"c": "ls"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "README.md"}]},
    ],
}


def page(client: Client, request_id: uuid.UUID, query: str = "") -> str:
    response = client.get(f"{LIST}{request_id}/{query}")
    assert response.status_code == 200
    return response.content.decode()


def shown(text: str) -> str:
    return f'<div class="b-prose"><p>{text}</p>'


class Markup(HTMLParser):
    """Counts what can run or load something: elements that do, and attributes that a browser or the theme executes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "object", "embed", "svg", "form", "base", "link", "meta", "style"):
            self.found[tag] += 1
        for name, value in attrs:
            if name.startswith(("on", "x-", "hx-", ":", "@", "style")):
                self.found[name] += 1
            if name in ("href", "src") and not (value or "").startswith(("/", "?", "#")):
                self.found[f"{name}={value}"] += 1


def test_the_addresses_of_the_admin_lead_to_it(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST))
    for address in (f"{ADMIN}{request_id}/change/", f"{ADMIN}{request_id}/"):
        assert admin.get(address).headers["Location"] == f"{LIST}{request_id}/"
    assert admin.get(f"{ADMIN}{request_id}/raw/request/").headers["Location"] == f"{LIST}{request_id}/raw/request/"


@pytest.mark.parametrize("address", [f"{uuid.UUID(int=7 << 76)}/", "x/"])
def test_what_is_not_there_is_404(admin: Client, address: str) -> None:
    assert admin.get(LIST + address).status_code == 404
    assert admin.get(f"{ADMIN}x/change/").status_code == 404


EXPECTED = {
    "messages": (
        "You are a careful engineer.",
        "today is Saturday",
        "<dt>c</dt><dd>ls</dd>",
        "README.md",
        "All is well.",
    ),
    "headers": (
        '<td class="tl-mono">X-Thing</td><td class="tl-mono tl-break">one</td>',
        '<td class="tl-mono">x-thing</td><td class="tl-mono tl-break">two</td>',
    ),
    "limits": ("anthropic-ratelimit-unified-5h-utilization", "42.0 %"),
    "timeline": ("tl-tl-stall", "after a stall", "rd-span-streaming"),
    "cost": ("&quot;cache_read_input_tokens&quot;: 39844", "39,844"),
    "raw": ("raw/request/", "raw/response/", "SHA-256"),
    "related": ("Nothing else in the history",),
    "grade": ("Nobody asked for one.", "Grade this prompt"),
}


@pytest.mark.parametrize("tab", EXPECTED)
def test_each_tab_shows_its_part(admin: Client, tab: str) -> None:
    sample = Sample(
        REQUEST,
        chunks=message_stream("All is well."),
        gaps_ms=[0, 2_600],
        request_headers=[("User-Agent", "claude-cli/2.1.329 (external, cli)"), ("X-Thing", "one"), ("x-thing", "two")],
        response_headers=[
            ("content-type", "text/event-stream"),
            ("anthropic-ratelimit-unified-5h-utilization", "0.42"),
        ],
    )
    text = page(admin, keep_one(sample), f"?tab={tab}")
    for expected in EXPECTED[tab]:
        assert expected in text, expected


def test_the_trace_leads_to_the_requests_of_it(admin: Client) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    sample = Sample(REQUEST, request_headers=[("traceparent", f"00-{trace}-{span}-01")])
    request_id, other = keep_one(sample), keep_one(Sample(REQUEST))
    text = page(admin, request_id)
    requests = reverse("d:requests")
    assert f'href="{requests}?q=trace%3A{trace}"' in text
    assert span in text
    listed = admin.get(requests, {"q": f"trace:{trace}"}).content.decode()
    assert str(request_id) in listed
    assert str(other) not in listed


ASKED = {"role": "user", "content": [{"type": "input_text", "text": "what is asked"}]}
ANSWERED = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "what is answered"}]}
OTHER_DIALECTS = {
    Dialect.CHAT: (
        {"model": "gpt-5.5", "messages": [{"role": "user", "content": "what is asked"}]},
        {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "what is answered"}}]},
    ),
    Dialect.RESPONSES: (
        {"model": "gpt-5.5", "input": [ASKED]},
        {"object": "response", "status": "completed", "output": [ANSWERED]},
    ),
}
JSON_ANSWER = [("content-type", "application/json")]


@pytest.mark.parametrize("dialect", OTHER_DIALECTS)
def test_the_other_dialects_are_conversations_too(admin: Client, dialect: Dialect) -> None:
    request, answer = OTHER_DIALECTS[dialect]
    sample = Sample(request, [json.dumps(answer).encode()], dialect=dialect, response_headers=JSON_ANSWER)
    text = page(admin, keep_one(sample))
    assert shown("what is asked") in text
    assert shown("what is answered") in text


def test_an_endpoint_without_a_conversation_has_its_bytes(admin: Client) -> None:
    sample = Sample({"input": "x"}, [b'{"data":[]}'], dialect=Dialect.OPENAI, path="/v1/embeddings")
    assert "Nothing here reads as a conversation." in page(admin, keep_one(sample))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe not json", b"[" * 5_000, b'{"messages": {"a": 1}}', b"\x00"])
def test_a_body_that_is_no_request_is_shown_all_the_same(admin: Client, body: bytes) -> None:
    assert "Headers" in page(admin, keep_one(Sample(body, chunks=[b"\xff\x00<html>"])))


def test_compressed_bodies_are_read_and_downloaded_as_they_came(admin: Client) -> None:
    body = gzip.compress(json.dumps(REQUEST).encode())
    request_id = keep_one(Sample(body, request_headers=[("content-encoding", "gzip")]))
    assert "You are a careful engineer." in page(admin, request_id)
    assert admin.get(f"{LIST}{request_id}/raw/request/").content == body


def test_the_window_shows_the_newest_turns_and_leads_to_the_others(admin: Client) -> None:
    messages = [{"role": "user", "content": f"turn number {number}."} for number in range(1, 41)]
    request_id = keep_one(Sample(REQUEST | {"messages": messages}))
    newest = page(admin, request_id)
    assert f"Messages {41 - TURNS_SHOWN} to 40 of 40." in newest
    assert shown("turn number 29.") in newest
    assert shown("turn number 28.") not in newest
    earlier = re.search(r'href="(\?turn=\d+)">Earlier', newest)
    assert earlier
    assert f"Messages {41 - 2 * TURNS_SHOWN} to {40 - TURNS_SHOWN} of 40." in page(admin, request_id, earlier.group(1))
    assert shown("turn number 1.") in page(admin, request_id, "?turn=1")
    for nonsense in ("?turn=0", "?turn=x", "?turn=²", "?turn=99999999999999999"):
        page(admin, request_id, nonsense)


def test_requests_of_a_session_lead_to_each_other(admin: Client) -> None:
    now = datetime.now(UTC) - timedelta(minutes=5)
    headers = [("x-claude-code-session-id", "s-1")]
    ids = keep([Sample(REQUEST, at=now + timedelta(seconds=place), request_headers=headers) for place in range(3)])
    keep_one(Sample(REQUEST, request_headers=[("x-claude-code-session-id", "s-2")]))
    middle = page(admin, ids[1])
    assert f'rel="prev" href="{LIST}{ids[0]}/"' in middle
    assert f'rel="next" href="{LIST}{ids[2]}/"' in middle
    assert 'rel="prev"' not in page(admin, ids[0])
    assert 'rel="next"' not in page(admin, ids[2])


def test_who_may_hold_a_session_is_led_to_it_from_a_request_of_it(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST, request_headers=[("x-claude-code-session-id", "s 1")], team="alpha"))
    link = "/admin/gateway/legalhold/add/?session_id=s%201"
    assert f'href="{link}"' in page(admin, request_id)
    assert re.search(r">\s*s 1</textarea>", admin.get(link).content.decode())
    for role in ("member", "lead", "ops", "superuser"):
        # The superuser of the tests has no place in the admin.
        assert "legalhold" not in page(client_of(role), request_id)


def test_the_number_of_queries_is_fixed(admin: Client) -> None:
    session = [("x-claude-code-session-id", "s-1")]
    limits = [("content-type", "text/event-stream"), *((f"anthropic-ratelimit-{name}", "1") for name in "abcdefgh")]
    messages = [{"role": "user", "content": str(number)} for number in range(300)]
    many = REQUEST | {"messages": messages}
    short = keep_one(Sample(REQUEST, request_headers=session))
    long = keep_one(Sample(many, message_stream("x" * 3_000), request_headers=session, response_headers=limits))
    for tab in EXPECTED:
        with CaptureQueriesContext(connection) as of_short:
            page(admin, short, f"?tab={tab}")
        with CaptureQueriesContext(connection) as of_long:
            page(admin, long, f"?tab={tab}")
        # One more for the pages of a long manifest, two for the turn before it.
        assert len(of_long) - len(of_short) <= (3 if tab == "messages" else 1), tab
        assert len(of_long) <= 15, tab


@pytest.mark.parametrize("part", ["request", "response"])
def test_the_download_is_the_exact_bytes_and_inert(admin: Client, part: str) -> None:
    hostile = b"<script>alert(1)</script>\x00\xff\r\n"
    request_id = keep_one(Sample(hostile, chunks=[hostile], response_headers=[("content-type", "text/html")]))
    response = admin.get(f"{LIST}{request_id}/raw/{part}/")
    assert response.content == hostile
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"] == f'attachment; filename="turnlog-{request_id}-{part}.txt"'
    assert response["Cache-Control"] == "no-store"
    assert "script-src 'self';" in response["Content-Security-Policy"]


def test_there_is_no_third_part(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST))
    assert admin.get(f"{LIST}{request_id}/raw/other/").status_code == 404
    assert admin.get(f"{LIST}{uuid.UUID(int=7 << 76)}/raw/request/").status_code == 404


def test_damaged_bytes_are_named_and_not_handed_out(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST))
    StoredBody.objects.filter(id=request_id, part=0).update(sha256=b"\0" * 32)
    assert "do not have the SHA-256" in page(admin, request_id, "?tab=raw")
    assert admin.get(f"{LIST}{request_id}/raw/request/").status_code == 404


def test_what_broke_and_what_is_missing_is_said(admin: Client) -> None:
    sample = Sample(REQUEST, outcome=Outcome.UPSTREAM_ABORTED, error="closed by the provider", capture="lost_disk")
    text = page(admin, keep_one(sample))
    for expected in ("upstream aborted", "closed by the provider", "partly kept: lost_disk"):
        assert expected in text


PROBES = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "</pre></details><iframe src=javascript:alert(1)>",
    "{{ 7|add:7 }}{% debug %}",
    "'; x-data=\"alert(1)\"",
]  # fmt: skip


@pytest.mark.parametrize("probe", PROBES)
def test_everything_a_client_or_a_provider_says_is_escaped(admin: Client, probe: str) -> None:
    request = {
        "model": probe,
        probe: probe,
        "system": probe,
        "tools": [{"name": probe, "type": probe, "description": probe, "input_schema": {probe: probe}}],
        "messages": [
            {"role": probe, "content": probe},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": probe, "name": probe, "input": {probe: probe}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": probe, "content": [{"type": probe}]}]},
            {"role": "user", "content": [{"type": "image", "source": {"media_type": probe, "url": probe}}]},
        ],
    }
    headers = [
        (name, probe) for name in ("user-agent", "x-team", "x-claude-code-session-id", "content-type", "anthropic-beta")
    ]
    sample = Sample(
        request,
        message_stream(probe, model=probe, stop=probe, usage={probe: probe}),
        path=f"/v1/{probe}",
        query=probe,
        error=probe,
        outcome=Outcome.UPSTREAM_STALLED,
        request_headers=headers,
        response_headers=[
            ("content-type", "text/event-stream"),
            ("request-id", probe),
            ("anthropic-ratelimit-x", probe),
        ],
        capture=probe,
        access_key=probe,
    )
    request_id, empty = keep_one(sample), keep_one(Sample({"messages": []}))
    for tab in EXPECTED:
        text, bare = page(admin, request_id, f"?tab={tab}"), page(admin, empty, f"?tab={tab}")
        # The strips of time are drawn where there is a time.
        found, expected = Markup(text).found, Markup(bare).found
        assert {key: found[key] for key in found if key != "svg"} == {
            key: expected[key] for key in expected if key != "svg"
        }
    assert html.escape(probe) in page(admin, request_id)


def test_a_conversation_of_two_megabytes_is_a_page_within_a_second(admin: Client) -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": "line of output\n" * 700}
    messages = [{"role": "user", "content": [block] * 4} for _ in range(50)]
    request_id = keep_one(Sample(REQUEST | {"messages": messages}))
    page(admin, request_id)
    began = time.perf_counter()
    text = page(admin, request_id)
    assert time.perf_counter() - began < 1.0
    assert len(text) < 1_500_000


@pytest.mark.parametrize("form", ["curl", "json", "markdown"])
def test_it_is_copied_in_other_words(admin: Client, form: str) -> None:
    headers = [("authorization", "fingerprint"), ("anthropic-version", "2023-06-01"), ("host", "elsewhere")]
    request_id = keep_one(Sample(REQUEST, message_stream("All is well."), request_headers=headers))
    response = admin.get(f"{LIST}{request_id}/copy/{form}/")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    text = response.content.decode()
    expected = {
        "curl": (
            "curl -X POST",
            "/v1/messages?beta=true",
            "-H 'anthropic-version: 2023-06-01'",
            "$TURNLOG_KEY",
            "README.md",
        ),
        "json": ('"anthropic-version"', '"cost_lines"'),
        "markdown": ("## user (1)", "README.md", "All is well."),
    }[form]
    for part in expected:
        assert part in text
    if form == "curl":
        assert "elsewhere" not in text
        assert "fingerprint" not in text
    assert admin.get(f"{LIST}{request_id}/copy/other/").status_code == 404


@pytest.mark.parametrize("role", ROLES)
def test_who_opens_what(role: str) -> None:
    request_id = keep_one(Sample(REQUEST, message_stream("All is well."), team="alpha"))
    client = client_of(role)
    readers = ("member", "lead", "admin", "superuser")
    status = client.get(f"{LIST}{request_id}/").status_code
    assert status == {"anonymous": 302, "disabled": 302, "stranger": 403, "other": 404}.get(role, 200)
    for address in ("raw/request/", "copy/json/", "copy/curl/", "copy/markdown/", "media/0/"):
        answer = client.get(f"{LIST}{request_id}/{address}")
        if role in readers:
            assert answer.status_code in (200, 404), address
        else:
            assert answer.status_code in (302, 403, 404), address
            assert b"README.md" not in answer.content
    if role == "ops":
        for tab in EXPECTED:
            text = page(client, request_id, f"?tab={tab}")
            assert "README.md" not in text
            assert "All is well." not in text


def test_related_requests_have_something_in_common(admin: Client) -> None:
    first = [{"role": "user", "content": "What is it?"}]
    second = [*first, {"role": "assistant", "content": "A test."}, {"role": "user", "content": "And then?"}]
    begun = keep_one(Sample(REQUEST | {"messages": first}))
    other = keep_one(Sample(REQUEST | {"messages": [{"role": "user", "content": "Something else."}]}))
    ids = keep([Sample(REQUEST | {"messages": second}) for _ in range(2)])
    text = page(admin, ids[1], "?tab=related")
    for title, found in (("The same words", ids[0]), ("The same beginning", begun)):
        assert title in text
        assert f'href="{LIST}{found}/" data-row' in text
    assert str(other) not in text
