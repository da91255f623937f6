"""What a function takes is an object with properties, whoever is told."""

from __future__ import annotations

import json

import pytest

from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import PROFILES
from gateway.dialects.tool_schemas import EMPTY_SCHEMA, object_schema
from gateway.dialects.turn import Message, Request, Role, Text, Tool

SCHEMAS = {
    "": EMPTY_SCHEMA,
    "{}": EMPTY_SCHEMA,
    '{"type":"object"}': '{"properties":{},"type":"object"}',
    '{ "properties": {"n": {"type": "number", "maximum": 1.0}} }': '{"type":"object", "properties": {"n": {"type": '
    '"number", "maximum": 1.0}} }',
    '{"$defs":{}}': '{"type":"object","properties":{},"$defs":{}}',
    '{"type":"object","properties":{"a":{}}}': '{"type":"object","properties":{"a":{}}}',
    '{"type":"string"}': '{"type":"string"}',
    "true": "true",
    "{": "{",
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_is_missing_is_put_in_front_and_the_rest_stays(schema: str) -> None:
    assert object_schema(schema) == SCHEMAS[schema]


@pytest.mark.parametrize("dialect", CODECS)
@pytest.mark.parametrize("schema", ["", "{}", '{"type":"object"}'])
def test_a_tool_without_arguments_is_told_as_one_that_takes_an_empty_object(dialect: Dialect, schema: str) -> None:
    request = Request("m", (Message(Role.USER, (Text("Hi"),)),), tools=(Tool("now", schema=schema),))
    (tool,) = json.loads(CODECS[dialect].encode_request(request, PROFILES["openai"]).body)["tools"]
    said = tool.get("function", tool)
    assert said.get("input_schema", said.get("parameters")) == {"type": "object", "properties": {}}
