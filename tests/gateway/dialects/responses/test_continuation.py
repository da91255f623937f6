"""A request with what was said before it in front."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.dialects.request_facts import patched
from gateway.dialects.responses.continuation import (
    by_id,
    continue_request,
    insert_conversation,
    output_items,
    own_input,
    read_continuation,
    with_ids,
)
from gateway.dialects.turn import Refused

BEFORE = [msgspec.Raw(b'{"type":"message","id":"a","role":"user","content":"first","n":1.10}')]


def test_every_member_but_the_input_stays_as_it_came() -> None:
    body = b'{"model":"m","input":"next","temperature":1.0,"metadata":{"k":"v"},"previous_response_id":"resp_1"}'
    continued = continue_request(body, BEFORE, {})
    assert continued == (
        b'{"model":"m","input":[{"type":"message","id":"a","role":"user","content":"first","n":1.10},'
        b'{"type":"message","role":"user","content":"next"}],"temperature":1.0,"metadata":{"k":"v"},'
        b'"previous_response_id":"resp_1"}'
    )


def test_references_are_replaced_by_what_they_refer_to() -> None:
    body = json.dumps(
        {"model": "m", "input": [{"type": "item_reference", "id": "a"}, {"role": "user", "content": "x"}]}
    )
    items = json.loads(continue_request(body.encode(), [], by_id(BEFORE)))["input"]
    assert [item.get("content") for item in items] == ["first", "x"]
    with pytest.raises(Refused, match="item a, which the input refers to, was not found"):
        continue_request(body.encode(), [], {})


OWN = [
    msgspec.Raw(b'{"type":"message","id":"msg_1","role":"user","content":"first"}'),
    msgspec.Raw(b'{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"ours"}'),
    msgspec.Raw(b'{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}'),
]
FIRST = (
    b'{"type":"message","role":"user","content":"first"},'
    b'{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}'
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"previous_response_id": "resp_1", "input": [ {"role":"user"} ], "n": 1.10}',
            b'{"previous_response_id": null, "input": [%s, {"role":"user"} ], "n": 1.10}' % FIRST,
        ),
        (
            b'{"input":"next \\u00e9","previous_response_id":"resp_1"}',
            b'{"input":[%s,{"type":"message","role":"user","content":"next \\u00e9"}],"previous_response_id":null}'
            % FIRST,
        ),
        (b'{"input":[],"previous_response_id":"resp_1"}', b'{"input":[%s],"previous_response_id":null}' % FIRST),
        (b'{"previous_response_id":"resp_1"}', b'{"previous_response_id":null,"input":[%s]}' % FIRST),
    ],
    ids=["a list", "a string", "an empty list", "no input"],
)
def test_a_provider_of_the_same_dialect_is_told_what_we_kept(body: bytes, expected: bytes) -> None:
    assert patched(body, insert_conversation(body, OWN)) == expected


@pytest.mark.parametrize(
    ("body", "previous", "references", "keeps"),
    [
        (b'{"model":"m","input":"x"}', "", (), True),
        (b'{"previous_response_id":"resp_1","store":true,"input":[]}', "resp_1", (), True),
        (b'{"store":false,"input":[{"type":"item_reference","id":"i"}]}', "", ("i",), False),
    ],
)
def test_what_a_request_needs_is_read(body: bytes, previous: str, references: tuple[str, ...], keeps: bool) -> None:
    found = read_continuation(body)
    assert found is not None
    assert (found.previous, found.references, found.keeps) == (previous, references, keeps)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"input":[3]}', b'{"previous_response_id":3}'])
def test_what_cannot_be_read_is_left_to_the_decoder(body: bytes) -> None:
    assert read_continuation(body) is None


def test_input_items_have_an_id_each() -> None:
    items = own_input(b'{"input":[{"role":"user","content":"x"},{"id":"own","type":"message","role":"user"}]}')
    assert [item["id"] for item in with_ids(items, "msg_x")] == ["msg_x0000", "own"]


def test_output_items_come_as_they_are() -> None:
    assert [bytes(item) for item in output_items(b'{"output":[{"n": 1.10}]}')] == [b'{"n": 1.10}']
