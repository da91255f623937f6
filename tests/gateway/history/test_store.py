"""The store gives back what was put in, or says that it cannot."""

from __future__ import annotations

import contextlib
import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.store import Damaged, NotInHistory, put_request, put_response, rebuild_request, unpack_body
from gateway.history.writer import write_jsonb

ID = uuid.UUID(int=1)


@given(st.binary())
def test_a_body_comes_back_byte_for_byte(body: bytes) -> None:
    for rows in (put_request(ID, body), put_response(ID, body)):
        assert [unpack_body(row[2], row[3], row[4], row[5]) for row in rows] == ([body] if body else [])


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_damaged_body_is_never_given_out(body: bytes, draw: st.DataObject) -> None:
    [(_, _, size, digest, codec, data, _)] = put_response(ID, body)
    damaged = bytearray(data)
    damaged[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    with contextlib.suppress(Damaged):
        assert unpack_body(size, digest, codec, bytes(damaged)) == body


def test_a_damaged_body_that_announces_petabytes_takes_no_memory() -> None:
    digest = hashlib.sha256(b"body!").digest()
    frame = bytes.fromhex("28b52ffdc005290000000000000001")
    with pytest.raises(Damaged):
        unpack_body(5, digest, "zstd", frame)


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
