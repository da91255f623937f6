"""What people type, and what it is read as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.search.query import read_query
from gateway.history.search.snippets import snippet_of
from gateway.history.search.text import folded, labels_of, text_of, trigrams_of, words_of


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Timeout retry", {"words": ["timeout", "retry"]}),
        ("foo_bar", {"words": ["bar", "foo"]}),
        ("time*", {"prefixes": ["time"]}),
        ("retry -timeout", {"words": ["retry"], "excluded": ["timeout"]}),
        ('"def read("', {"pieces": ["def read("]}),
        ('"unclosed piece', {"pieces": ["unclosed piece"]}),
        ("x" * 40, {"pieces": ["x" * 40]}),
        ("tool:Bash", {"labels": ["tool=bash"]}),
        ("path:/src/A.py", {"labels": ["path=/src/a.py"]}),
        ("fix model:claude-opus-5-5 stop:refusal", {
            "words": ["fix"], "row": {"model": "claude-opus-5-5"}, "response": {"stop_reason": "refusal"},
        }),
        ('fix model:"two words"', {"words": ["fix"], "row": {"model": "two words"}}),
        ("fix in:answers in:tools is:failed", {"words": ["fix"], "kinds": [4, 1], "failed": True}),
        ("https://example.com/a", {"words": ["com", "example", "https"]}),
        ("fix since:2026-11-21", {"words": ["fix"], "since": datetime(2026, 11, 21, tzinfo=UTC)}),
    ],
)  # fmt: skip
def test_words_pieces_and_fields_are_told_apart(typed: str, expected: dict[str, Any]) -> None:
    query = read_query(typed)
    assert query.problems == []
    for name in ("words", "prefixes", "excluded", "pieces", "labels", "row", "response", "kinds", "failed", "since"):
        assert getattr(query, name) == expected.get(name, type(getattr(query, name))() if name != "since" else None), (
            name
        )


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "nothing to look for"),
        ("model:x", "nothing to look for"),
        ('"->"', "too short"),
        ("!=", "too short"),
        ("fix status:many", "status: needs a number"),
        ("fix since:yesterday", "since: needs a date"),
        ("fix in:everything", "in: takes one of tools, system, messages, answers"),
        ('fix tool:""', "tool: needs a value"),
    ],
)
def test_what_cannot_be_understood_says_how_to_say_it(typed: str, problem: str) -> None:
    assert problem in "; ".join(read_query(typed).problems)


@given(st.text(max_size=200))
def test_nothing_typed_is_too_odd(typed: str) -> None:
    query = read_query(typed)
    assert query.problems or query.asks_for_text or query.labels or query.failed
    snippet_of(typed, query)


TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(TEXT, st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), TEXT)
def test_a_piece_has_only_trigrams_of_the_text_it_is_in(before: str, piece: str, after: str) -> None:
    # A letter whose lower case depends on what stands beside it has no lower case of its own.
    if (before + piece + after).lower() == before.lower() + piece.lower() + after.lower():
        assert set(trigrams_of(piece)) <= set(trigrams_of(before + piece + after))
        assert set(trigrams_of(piece, b"key")) <= set(trigrams_of(before + piece + after, b"key"))


def test_keyed_trigrams_are_others_than_plain_ones_and_of_other_keys() -> None:
    plain, one, two = (set(trigrams_of("a secret text in words", key)) for key in (b"", b"one", b"two"))
    assert len(plain & one) <= 3
    assert len(one & two) <= 3


def test_a_words_letters_are_folded_and_the_rest_is_space() -> None:
    assert folded("Foo.BAR((x") == b"foo bar x"
    assert words_of("Foo_bar a 42 über " + "x" * 33) == {"foo", "bar", "42", "über"}


def test_what_is_said_is_found_and_what_is_not_words_is_not() -> None:
    message = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "a thought", "signature": "c2lnbmF0dXJl"},
            {"type": "text", "text": "an answer"},
            {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/Src/A.py"}},
            {"type": "image", "source": {"type": "base64", "data": "aGVsbG8="}},
            {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="},
        ],
    }
    assert text_of(message) == "a thought\nan answer\nRead\n/Src/A.py"
    assert labels_of(message) == {"tool=read", "path=/src/a.py", "path=a.py"}
    failed = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True}],
    }
    assert labels_of(failed) == {"failed"}


def test_a_snippet_marks_what_was_found_in_its_text() -> None:
    text = "word " * 100 + "then the Needle\nin the hay " + "word " * 100
    snippet = snippet_of(text, read_query('"needle in" hay'))
    assert [snippet.text[start:end] for start, end in snippet.spans] == ["Needle in", "hay"]
    assert snippet.cut_before
    assert snippet.cut_after
