"""Header pairs are stored compressed and read as they came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.models.packed_headers import KEY, BadHeaders, decompress, pack_json, unpack_json
from tests.transcripts.captured import exchanges

LATIN = st.text(st.characters(max_codepoint=255))


@given(st.lists(st.tuples(LATIN, LATIN)))
def test_any_pairs_come_back(pairs: list[tuple[str, str]]) -> None:
    through_the_column = json.loads(json.dumps(pack_json(pairs)))
    assert unpack_json(through_the_column) == [list(pair) for pair in pairs]


def test_recorded_headers_of_claude_code_take_a_sixth_of_the_room() -> None:
    for exchange in exchanges():
        for headers in (exchange.request_headers, exchange.response_headers):
            pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]
            packed = pack_json(pairs)
            assert unpack_json(packed) == pairs
            if len(pairs) > 15 and exchange.name.startswith("claude"):
                assert len(json.dumps(packed)) * 6 < len(json.dumps(pairs)), exchange.name


@pytest.mark.parametrize("value", [[], [["a", "b"]], None, {"other": "x"}])
def test_what_was_stored_before_is_read_as_it_is(value: Any) -> None:
    assert unpack_json(value) == value


def test_damage_is_told() -> None:
    with pytest.raises(BadHeaders):
        decompress(b"\x28\xb5\x2f\xfdrest")
    with pytest.raises(ValueError, match=r"base64|padding|characters"):
        unpack_json({KEY: "x"})
