"""How a provider's stream ends when it does not say so, in every dialect."""

from __future__ import annotations

import pytest

from gateway.dialects.answer import Failed
from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import DEFAULT_PROFILE
from gateway.dialects.sse import LINE_CAP
from gateway.dialects.turn import Request

QUESTION = Request("m", (), stream=True)


def fault(dialect: Dialect, *chunks: bytes) -> str:
    """What the last event says went wrong."""
    decoder = CODECS[dialect].decode_stream(QUESTION, DEFAULT_PROFILE)
    events = [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.finish()
    assert isinstance(events[-1], Failed)
    return events[-1].message


@pytest.mark.parametrize("dialect", CODECS, ids=str)
def test_an_event_too_big_to_be_read_is_what_the_failure_names(dialect: Dialect) -> None:
    big = fault(dialect, b'data: {"padding":"' + b"x" * LINE_CAP, b"x", b'"}\n\n')
    assert big == "The provider's stream holds an event that is too big to be read."


@pytest.mark.parametrize("dialect", CODECS, ids=str)
def test_a_body_that_only_ends_is_an_answer_that_never_came(dialect: Dialect) -> None:
    assert fault(dialect, b": waiting\n\n") == "The provider's stream ended without an answer."
