"""The digest is HMAC-SHA256, whatever the lengths of key and value."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.keyed_digest import KeyedDigest


@given(key=st.binary(min_size=1, max_size=200), values=st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_it_is_the_librarys_hmac_each_time_it_is_called(key: bytes, values: list[bytes]) -> None:
    digest = KeyedDigest(key)
    assert [digest(value) for value in values] == [hmac.digest(key, value, "sha256") for value in values]
