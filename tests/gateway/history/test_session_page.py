"""A session as a page of its own: whole, without scripts, without secrets."""

from __future__ import annotations

import html.parser
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.dialects.names import Outcome
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.history.conversation.building import START, talk, user
from tests.gateway.history.recorded import keep_session

pytestmark = pytest.mark.django_db
SESSION = "00000000-0000-4000-8000-000000000001"
HOME = "/home"
HEADERS = [("x-claude-code-session-id", "s")]


class Page(html.parser.HTMLParser):
    """Every tag and attribute, and the text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def export(tmp_path: Path, session: str, *arguments: str) -> Page:
    target = tmp_path / "session.html"
    options = ["--format", "html", "--session", session, "-o", str(target), "--force", *arguments]
    call_command("history", "export", *options, stderr=io.StringIO())
    return Page(target.read_text())


@pytest.mark.parametrize("capture", ["claude_subagents", "codex_resume", "claude_unsupported_field_retry"])
def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path, capture: str) -> None:
    keep_session(capture)
    page = export(tmp_path, SESSION)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "a", "object", "form"})
    assert not any(
        name in ("src", "href", "style") or name.startswith("on") for _, named in page.tags for name in named
    )
    policies = [named["content"] for tag, named in page.tags if tag == "meta" and "http-equiv" in named]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_each_message_is_shown_once_with_its_answer(tmp_path: Path) -> None:
    bodies = [talk("first question"), talk("first question", "First answer.", "second question")]
    keep(
        Sample(body, message_stream(text), at=START + timedelta(minutes=n), request_headers=HEADERS)
        for n, (body, text) in enumerate(zip(bodies, ("First answer.", "Second answer."), strict=True))
    )
    text = export(tmp_path, "s").text
    for said in ("first question", "First answer.", "second question", "Second answer."):
        assert text.count(said) == 1, said
    assert text.index("first question") < text.index("First answer.") < text.index("second question")


def test_markup_in_texts_is_text(tmp_path: Path) -> None:
    body = talk("<script>alert(1)</script><img src=x onerror=1>")
    keep([Sample(body, message_stream("</pre><b>"), request_headers=HEADERS)])
    page = export(tmp_path, "s")
    assert "<script>alert(1)</script>" in page.text
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "b"})


def test_secrets_are_not_in_the_page_wherever_they_stood(tmp_path: Path) -> None:
    key = "sk-ant-" + "api03-abcDEF123456789"
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": f"curl -H 'x-api-key: {key}'"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": f"{HOME}/ada: {key}"}]}
    messages: list[dict[str, Any]] = [
        user("I am ada@example.com of Acme"),
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    body = talk("x") | {"messages": messages, "metadata": {"user_id": "the-user"}}
    keep([Sample(body, message_stream(f"Your key is {key}."), request_headers=HEADERS)])
    text = export(tmp_path, "s", "--redact", "Acme").text
    for secret in (key, "api03", "ada@example.com", f"{HOME}/ada", "Acme", "the-user"):
        assert secret not in text, secret
    assert "[key]" in text
    assert "and 1 more names" in text


def test_tries_forks_and_agents_are_told(tmp_path: Path) -> None:
    headers = [*HEADERS, ("x-claude-code-agent-id", "a1")]
    refused = Sample(talk("q"), [], at=START, status=529, outcome=Outcome.UPSTREAM_ERROR, request_headers=HEADERS)
    others = [talk("q"), talk("q", "a", "b"), talk("q", "a", "c")]
    keep(
        [
            refused,
            *(
                Sample(body, message_stream("Well."), at=START + timedelta(minutes=n), request_headers=HEADERS)
                for n, body in enumerate(others, 1)
            ),
            Sample(talk("a task"), message_stream("Done."), at=START + timedelta(minutes=9), request_headers=headers),
        ]
    )
    text = export(tmp_path, "s").text
    assert "Before that, a try (first) ended with 529" in text
    assert "fork" in text
    assert "Agent a1, turn 1" in text


def test_a_page_is_of_one_whole_session(tmp_path: Path) -> None:
    for arguments in ([], ["--session", "s", "--status", "200"]):
        with pytest.raises(CommandError, match="one whole session"):
            call_command("history", "export", "--format", "html", *arguments)
    with pytest.raises(CommandError, match="--redact goes with"):
        call_command("history", "export", "--redact", "x")
