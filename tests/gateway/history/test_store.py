"""The store gives back what was put in, or says that it cannot."""

from __future__ import annotations

import contextlib
import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.packing import Damaged, pack, unpack
from gateway.history.store import NotInHistory, put_response, rebuild_request, unpack_body
from gateway.history.writer import write_jsonb

ID = uuid.UUID(int=1)


@given(st.binary())
def test_an_answer_comes_back_byte_for_byte(body: bytes) -> None:
    rows = put_response(ID, body)
    assert [unpack_body(row.size, row.sha256, row.codec, row.data) for row in rows] == ([body] if body else [])


@given(st.one_of(st.binary(), st.binary(max_size=9).map(lambda data: data * 40)))
def test_packed_bytes_come_back_with_and_without_their_size(data: bytes) -> None:
    assert unpack(pack(data), len(data)) == unpack(pack(data)) == data


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_damaged_body_is_never_given_out(body: bytes, draw: st.DataObject) -> None:
    [row] = put_response(ID, body)
    damaged = bytearray(row.data)
    damaged[draw.draw(st.integers(0, len(row.data) - 1))] ^= draw.draw(st.integers(1, 255))
    with contextlib.suppress(Damaged):
        assert unpack_body(row.size, row.sha256, row.codec, bytes(damaged)) == body


@pytest.mark.parametrize(("codec", "form"), [("zstd", b""), ("packed", b"\x01")])
def test_a_damaged_body_that_announces_petabytes_takes_no_memory(codec: str, form: bytes) -> None:
    digest = hashlib.sha256(b"body!").digest()
    frame = bytes.fromhex("28b52ffdc005290000000000000001")
    with pytest.raises(Damaged):
        unpack_body(5, digest, codec, form + frame)


@pytest.mark.django_db
def test_an_id_that_is_not_in_the_history_is_an_error() -> None:
    with pytest.raises(NotInHistory):
        rebuild_request(ID)


JSON_TEXTS = {
    "a NUL": ({"a": "x\x00y"}, b'{"a":"x\\u2400y"}'),
    "two of them": ({"a": "\x00\x00"}, b'{"a":"\\u2400\\u2400"}'),
    "an escape that only looks like one": ({"a": "\\u0000"}, b'{"a":"\\\\u0000"}'),
    "a backslash before a NUL": ({"a": "\\\x00"}, b'{"a":"\\\\\\u2400"}'),
    "a NUL in a key": ({"\x00": 1}, b'{"\\u2400":1}'),
}


@pytest.mark.parametrize(("value", "expected"), JSON_TEXTS.values(), ids=JSON_TEXTS.keys())
def test_jsonb_gets_a_picture_of_nul(value: object, expected: bytes) -> None:
    assert write_jsonb(value) == expected
