"""Tools only one dialect knows, said as functions and found again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.foreign_tools import ForeignTools, as_function, call_as_function, flat_name, free_text
from gateway.dialects.turn import Tool, ToolCall

GRAMMAR = '{"type":"grammar","syntax":"lark","definition":"start: \\"x\\""}'
PATCH = Tool("apply_patch", "Edits files.", GRAMMAR, kind="custom")
NAMES = st.text(min_size=1, max_size=90)


def test_a_custom_tool_becomes_a_function_that_takes_text() -> None:
    function = as_function(PATCH)
    assert (function.kind, function.name) == ("function", "apply_patch")
    assert json.loads(function.schema)["required"] == ["input"]
    assert function.description == 'Edits files.\n\nThe input must fit this lark grammar:\nstart: "x"'


@given(st.text())
def test_free_text_survives_the_way_through_arguments(text: str) -> None:
    call = call_as_function(ToolCall("c", "apply_patch", text, kind="custom"))
    assert call.kind == "function"
    assert free_text(call.arguments) == text


@pytest.mark.parametrize("arguments", ["", "*** Begin Patch", '{"patch": "x"}', '{"input": 3}', "{"])
def test_arguments_that_do_not_fit_are_the_text_themselves(arguments: str) -> None:
    assert free_text(arguments) == arguments


@given(NAMES, NAMES)
def test_a_flat_name_is_one_every_dialect_takes(name: str, namespace: str) -> None:
    flat = flat_name(name, namespace)
    assert 0 < len(flat) <= 64
    assert flat.isascii()
    assert flat.replace("_", "").replace("-", "").isalnum() or not flat.strip("_-")


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert flat_name("a" * 80 + "1") != flat_name("a" * 80 + "2")


def test_a_call_is_recognised_with_its_namespace_and_without_where_that_is_clear() -> None:
    spawn, exec_, other = (Tool(n, namespace=s) for n, s in (("spawn", "agents"), ("exec", "one"), ("exec", "two")))
    table = ForeignTools([spawn, exec_, other, PATCH])
    assert table.find("agents__spawn") is spawn
    assert table.find("spawn") is spawn
    assert table.find("one__exec") is exec_
    assert table.find("exec") is None
    assert table.find("apply_patch") is PATCH


@pytest.mark.parametrize(("name", "kind"), [("local_shell", "shell"), ("shell", "shell"), ("apply_patch", "patch")])
def test_a_tool_with_calls_of_its_own_becomes_a_function_of_their_shape(name: str, kind: str) -> None:
    function = as_function(Tool(name, kind=kind))  # type: ignore[arg-type]
    assert function.kind == "function"
    assert function.description
    assert json.loads(function.schema)["type"] == "object"
