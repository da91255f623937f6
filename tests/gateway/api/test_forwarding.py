"""Which headers cross the gateway: a table, and properties for any headers at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.forwarding import HOP_BY_HOP, inbound_headers, outbound_headers
from gateway.policy.access import Keep, Replace

HOST = b"provider.example"
NAMES = st.sampled_from(
    [b"host", b"content-length", b"connection", b"authorization", b"x-api-key", b"x-turnlog-key", b"x-a", b"x-b", b"te"]
)
VALUES = st.sampled_from([b"", b"1", b"close", b"x-a", b"keep-alive, x-b", b"authorization", b"Bearer t"])
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


@given(PAIRS, st.integers(0, 10**9))
def test_kept_headers_keep_their_order_and_number(pairs: list[tuple[bytes, bytes]], size: int) -> None:
    sent = outbound_headers(pairs, host=HOST, treatment=Keep.AS_SENT, body_bytes=size)
    ours = {b"host", b"content-length"}
    named = {token.strip() for name, value in pairs if name == b"connection" for token in value.split(b",")}
    expected = [
        pair
        for pair in pairs
        if pair[0] not in HOP_BY_HOP and pair[0] not in ours and pair[0] != b"x-turnlog-key" and pair[0] not in named
    ]
    assert [pair for pair in sent if pair[0] not in ours] == expected
    assert {value for name, value in sent if name == b"host"} == {HOST}
    assert all(value == b"%d" % size for name, value in sent if name == b"content-length")


@given(PAIRS)
def test_a_replaced_credential_stands_there_once_and_none_of_the_old(pairs: list[tuple[bytes, bytes]]) -> None:
    own = (b"x-api-key", b"the-providers-own")
    sent = outbound_headers(pairs, host=HOST, treatment=Replace(own), body_bytes=0)
    secret = [pair for pair in sent if pair[0] in (b"authorization", b"x-api-key", b"x-turnlog-key")]
    assert secret == [own]
    without = outbound_headers(pairs, host=HOST, treatment=Replace(None), body_bytes=0)
    assert not [pair for pair in without if pair[0] in (b"authorization", b"x-api-key", b"x-turnlog-key")]


CASES = {
    "the host is put where it stood": (
        [(b"x-a", b"1"), (b"host", b"gateway"), (b"x-b", b"2")],
        [(b"x-a", b"1"), (b"host", HOST), (b"x-b", b"2"), (b"content-length", b"7")],
    ),
    "a missing host comes first": (
        [(b"x-a", b"1"), (b"content-length", b"7")],
        [(b"host", HOST), (b"x-a", b"1"), (b"content-length", b"7")],
    ),
    "chunks become a length": (
        [(b"host", b"g"), (b"transfer-encoding", b"chunked")],
        [(b"host", HOST), (b"content-length", b"7")],
    ),
    "connection cannot take the length away": (
        [(b"host", b"g"), (b"connection", b"content-length, host"), (b"content-length", b"7")],
        [(b"host", HOST), (b"content-length", b"7")],
    ),
}


@pytest.mark.parametrize(("pairs", "expected"), CASES.values(), ids=CASES)
def test_framing(pairs: list[tuple[bytes, bytes]], expected: list[tuple[bytes, bytes]]) -> None:
    assert outbound_headers(pairs, host=HOST, treatment=Keep.AS_SENT, body_bytes=7) == expected


def test_an_answers_hop_by_hop_headers_are_dropped_whatever_their_case() -> None:
    pairs = [
        (b"Content-Type", b"text/plain"),
        (b"Connection", b"Keep-Alive, X-Mine"),
        (b"KEEP-ALIVE", b"timeout=5"),
        (b"x-mine", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
    ]
    assert inbound_headers(pairs) == [pairs[0], pairs[5], pairs[6]]


def test_a_length_beside_chunks_is_not_passed_on() -> None:
    pairs = [(b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked"), (b"X-A", b"1")]
    assert inbound_headers(pairs) == [(b"X-A", b"1")]
    assert inbound_headers(pairs[:1]) == pairs[:1]
