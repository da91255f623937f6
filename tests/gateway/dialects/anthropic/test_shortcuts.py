"""Housekeeping calls: what is one, what it is answered, and what is left to the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.anthropic.codec import CODEC
from gateway.dialects.anthropic.shortcuts import answer_shortcut, command_prefix, paths_read
from gateway.dialects.names import Shortcut
from gateway.dialects.turn import Text

POLICY = "<policy_spec>\nprefixes...\n</policy_spec>\n\nCommand: "


def answered(text: str, allowed: set[Shortcut] | None = None, **fields: Any) -> tuple[str, str] | None:
    body = {"model": "haiku", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}
    request = CODEC.decode_request(json.dumps(body).encode())
    found = answer_shortcut(request, set(Shortcut) if allowed is None else allowed)
    if found is None:
        return None
    shortcut, answer = found
    return shortcut.value, "".join(part.text for part in answer.content if isinstance(part, Text))


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("quota", {"max_tokens": 1}, ("quota", "Quota check passed.")),
        (POLICY + "git commit -m x", {}, ("prefix", "git commit")),
        ("Please write a 5-10 word title for: hello", {}, ("title", "Conversation")),
        ("Your result will be used as the conversation title", {}, ("title", "Conversation")),
        ("[SUGGESTION MODE: what next]", {}, ("suggestion", "")),
        (
            "Command: cat a.py 'b c.py'\nOutput: text\nWhich filepaths?",
            {},
            ("filepaths", "<filepaths>\na.py\nb c.py\n</filepaths>"),
        ),
    ],
)
def test_each_call_is_answered(text: str, fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert answered(text, **fields) == expected
    assert answered(text, set(), **fields) is None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("quota", {"max_tokens": 2}),
        ("How is my quota?", {}),
        ("hello", {"max_tokens": 1}),
        ("Command: ls", {}),
        (POLICY, {}),
        ("write me a title", {}),
        ("write a 5-10 word title", {"tools": [{"name": "x", "input_schema": {"type": "object"}}]}),
        ("Command: cat a\nOutput: b", {}),
    ],
)
def test_anything_else_goes_to_the_provider(text: str, fields: dict[str, Any]) -> None:
    assert answered(text, **fields) is None


def test_a_title_that_must_be_json_is_json() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    form = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    found = answered("write a 5-10 word title", **form)
    assert found is not None
    assert json.loads(found[1]) == {"title": "Conversation"}


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        ("git commit -m 'x y'", "git commit"),
        ("git -C /x status", "git"),
        ("GIT_DIR=x A=1 git push origin", "GIT_DIR=x A=1 git push"),
        ("ls -la", "ls"),
        ("npm run test", "npm run"),
        ("A=1", "none"),
        ("echo 'open", "none"),
        ("echo `id`", "command_injection_detected"),
        ("echo $(id)", "command_injection_detected"),
        ("git diff\nrm -rf /", "command_injection_detected"),
    ],
)
def test_the_prefix_of_a_command(command: str, prefix: str) -> None:
    assert command_prefix(command) == prefix


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("cat a b", ["a", "b"]),
        ("head -n 5 x.py", ["x.py"]),
        ("tail -f log", ["log"]),
        ("grep -rn pattern src/ lib", ["src/", "lib"]),
        ("cat a | wc", ["a"]),
        ("ls -la src", []),
        ("find . -name x", []),
        ("cat 'open", []),
    ],
)
def test_the_files_a_command_showed(command: str, paths: list[str]) -> None:
    assert paths_read(command) == paths
