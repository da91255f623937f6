"""Blocks, tool calls, markdown and differences as markup: what each looks like, and that nothing breaks them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from dashboard.rendering.blocks import Renderer, segments
from dashboard.rendering.diffs import compare, read_patch
from dashboard.rendering.markup import code, language_of, markdown, without_escapes
from dashboard.rendering.tools import VIEWERS, look_of
from gateway.dialects.names import Dialect
from gateway.history.transcript import read_transcript
from tests.browser.probes import PROBES

ALLOWED = {"a", "blockquote", "br", "code", "del", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span",
           "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}  # fmt: skip


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


def shown(dialect: Dialect, body: dict[str, Any]) -> str:
    transcript = read_transcript(dialect, json.dumps(body).encode(), None, slice(None))
    assert transcript is not None
    turns = Renderer().turns(transcript.turns)
    return "".join(render_to_string("dashboard/blocks/turn.html", {"turn": turn}) for turn in turns)


def said(*content: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(content)}]}


def called(name: str, **given: Any) -> dict[str, Any]:
    return said({"type": "tool_use", "id": "toolu_1", "name": name, "input": given}, role="assistant")


LOOKS = {
    "a command": ("Bash", {"command": "ls -l | wc", "description": "Counts"}, ["Counts", "terminal", "wc</pre>"]),
    "a file read": ("Read", {"file_path": "/a/b.py", "offset": 10, "limit": 5}, ["/a/b.py", "from line 10, 5 lines"]),
    "an edit as lines": (
        "Edit",
        {"file_path": "a.py", "old_string": "one\ntwo", "new_string": "one\n2"},
        ["+1 −1", 'class="b-removed"', 'class="b-added"'],  # noqa: RUF001
    ),
    "several edits": (
        "MultiEdit",
        {"file_path": "a.py", "edits": [{"old_string": "a", "new_string": "b"}] * 2},
        ["+2 −2"],  # noqa: RUF001
    ),
    "a file written": ("Write", {"file_path": "a.py", "content": "def f(): pass\n"}, ["2 lines", "c-k"]),
    "a list of tasks": (
        "TodoWrite",
        {"todos": [{"content": "first", "status": "completed"}, {"content": "second", "status": "in_progress"}]},
        ["1 of 2 done", 'class="b-task-done"', 'class="b-task-doing"', 'aria-label="doing"'],
    ),
    "an agent": ("Agent", {"description": "Look", "prompt": "**Find** it", "subagent_type": "explore"},
                 ["Look", "explore", "<strong>Find</strong>"]),
    "a question": (
        "AskUserQuestion",
        {"questions": [{"question": "Which?", "options": [{"label": "This", "description": "one"}]}]},
        ["Which?", "<strong>This</strong> one"],
    ),
    "a search": ("Grep", {"pattern": "foo", "path": "src", "-i": True}, ["foo", "src"]),
    "a search of the web": ("WebSearch", {"query": "postgres 18"}, ["postgres 18"]),
    "a tool of a server": ("mcp__github__issue", {"number": 7}, ["issue", "github", "<dt>number</dt><dd>7</dd>"]),
    "a tool nobody knows": ("Odd", {"deep": {"a": [1]}}, ["Odd", "deep"]),
    "a patch": (
        "apply_patch",
        {"input": "*** Begin Patch\n*** Update File: a.ts\n-old\n+new\n*** End Patch"},
        ["a.ts", 'class="b-added"'],
    ),
    "a plan": ("update_plan", {"plan": [{"step": "build", "status": "completed"}]}, ["1 of 1 done", "build"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "given_input", "expected"), LOOKS.values(), ids=LOOKS.keys())
def test_a_tool_call_looks_like_what_it_did(name: str, given_input: dict[str, Any], expected: list[str]) -> None:
    text = shown(Dialect.ANTHROPIC, called(name, **given_input))
    for part in expected:
        assert part in text, part


def test_openai_calls_look_the_same() -> None:
    arguments = json.dumps({"command": ["bash", "-lc", "make test"]})
    call = {"id": "c", "type": "function", "function": {"name": "shell", "arguments": arguments}}
    assert "make test" in shown(Dialect.CHAT, {"messages": [{"role": "assistant", "tool_calls": [call]}]})
    patch = {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Update File: x\n+y"}
    assert 'class="b-added"' in shown(Dialect.RESPONSES, {"input": [patch]})
    searched = {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "tides"}}
    assert "tides" in shown(Dialect.RESPONSES, {"input": [searched]})


def test_a_result_names_its_tool_and_shows_the_lines_of_a_file() -> None:
    call = {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "a.py"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "     7→def f():\n     8→    return 1"}
    text = shown(Dialect.ANTHROPIC, {"messages": [{"role": "assistant", "content": [call]},
                                                  {"role": "user", "content": [result]}]})  # fmt: skip
    assert '<b class="b-of">Read</b>' in text
    assert 'aria-hidden="true">7\n8</pre>' in text
    assert '<span class="c-k">def</span>' in text


def test_a_failed_result_says_so_in_words() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}
    assert '<strong class="b-failed">failed</strong>' in shown(Dialect.ANTHROPIC, said(result))


def test_what_a_client_put_in_is_folded_away_and_the_rest_is_not() -> None:
    text = shown(Dialect.ANTHROPIC, said({"type": "text", "text": "<system-reminder>x</system-reminder>\nMend *it*."}))
    assert '<details class="b-injected"><summary>system reminder' in text
    assert "<p>Mend <em>it</em>.</p>" in text
    assert list(segments("a<system-reminder>b</system-reminder>c<command-name>/d</command-name>")) == [
        ("", "a"), ("system-reminder", "b"), ("", "c"), ("command-name", "/d"),
    ]  # fmt: skip
    assert list(segments("<system-reminder>never closed")) == [("", "<system-reminder>never closed")]


def test_found_pages_are_links_that_say_nothing_about_us() -> None:
    found = [{"type": "web_search_result", "title": "Tides", "url": "https://example.org/", "page_age": "May"},
             {"type": "web_search_result", "title": "Bad", "url": "javascript:alert(1)"}]  # fmt: skip
    text = shown(Dialect.ANTHROPIC, said({"type": "web_search_tool_result", "tool_use_id": "w", "content": found}))
    assert '<a href="https://example.org/" rel="noopener noreferrer nofollow">Tides</a>' in text
    assert 'href="javascript' not in text


@pytest.mark.parametrize("probe", PROBES)
def test_markdown_has_no_element_and_no_address_that_was_not_meant(probe: str) -> None:
    for text in (probe, f"```html\n{probe}\n```", f"# {probe}\n\n- [{probe}]({probe})\n\n![{probe}]({probe})"):
        found = Elements(markdown(text))
        assert found.tags <= ALLOWED
        for name, value in found.attributes:
            assert name in ("href", "title", "class", "rel", "start")
            assert name != "href" or value.startswith(("https://", "http://", "mailto:"))


def test_markdown_knows_headings_tables_and_code() -> None:
    text = markdown("# A\n\n|a|b|\n|-|-|\n|1|2|\n\n```python\nx = 1\n```\n")
    for part in ("<h4>A</h4>", "<td>1</td>", '<span class="c-'):
        assert part in text


@pytest.mark.parametrize("language", ["python", "bash", "json", "html", "nothing", ""])
def test_coloured_code_is_escaped(language: str) -> None:
    text = code("<script>alert(1)</script> \"' &", language)
    assert "<script" not in text
    assert Elements(text).tags <= {"span"}


def test_what_a_terminal_takes_for_commands_is_taken_out() -> None:
    assert without_escapes("\x1b[31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == "red link"


def test_languages_are_known_by_the_name_of_the_file() -> None:
    assert [language_of(name) for name in ("/a/b.py", "Makefile", "x.unknown")] == ["python", "make", ""]


def test_differences_have_the_lines_around_a_change() -> None:
    old = "\n".join(str(number) for number in range(30))
    found = compare(old, old.replace("\n15\n", "\nfifteen\n"))
    assert (found.added, found.removed) == (1, 1)
    assert [line.kind for line in found.lines].count("same") == 6
    assert [line.text for line in found.lines if line.kind == "skip"] == ["12 lines unchanged", "11 lines unchanged"]


def test_a_difference_of_long_texts_does_not_take_long() -> None:
    same = "x\n" * 100_000
    found = compare(same, same + "y")
    assert found.cut > 0


@given(st.text(max_size=300))
def test_any_patch_is_read(text: str) -> None:
    assert len(read_patch(text).lines) <= len(text) + 1


inputs = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["command", "file_path", "path", "edits", "todos", "plan", "content", "status", "questions",
                         "options", "old_string", "new_string", "action", "queries", "prompt", "input", "offset"]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(VIEWERS))
@given(value=inputs)
def test_no_input_breaks_the_look_of_a_tool(name: str, value: Any) -> None:
    look = look_of(name, value)
    block = {"look": look, "anchor": "", "children": []}
    render_to_string("dashboard/blocks/call.html", {"block": block})
