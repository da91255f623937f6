"""Seals come out of their envelope as they went in, and what is no envelope stays what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.names import Dialect
from gateway.dialects.seals import MARK, is_wrapped, unwrap, wrap
from gateway.dialects.turn import Seal


@given(st.sampled_from(list(Dialect)), st.text(), st.text())
def test_a_seal_survives_its_envelope(issuer: Dialect, value: str, item: str) -> None:
    seal = Seal(issuer, value, item)
    envelope = wrap(seal)
    assert is_wrapped(envelope)
    assert envelope.isascii()
    assert not envelope.split()[1:]
    assert unwrap(envelope, Dialect.ANTHROPIC) == seal


@pytest.mark.parametrize("text", ["EqoBCkYIBx", "", MARK + "!!!", MARK + "e30="])
def test_what_is_no_envelope_is_the_dialects_own(text: str) -> None:
    assert unwrap(text, Dialect.ANTHROPIC) == Seal(Dialect.ANTHROPIC, text)
