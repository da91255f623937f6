"""Our own refusals, as each dialect's clients expect them."""

from __future__ import annotations

import json

import pytest

from gateway.dialects.accumulate import accumulate
from gateway.dialects.errors import encode_error, encode_stream_error, is_final, status_of
from gateway.dialects.failures import FAILURES, ErrorKind
from gateway.dialects.names import Dialect
from tests.gateway.dialects.streams import SSE, decode

MESSAGE = 'No provider offers "x": see /v1/models \u2713'


@pytest.mark.parametrize("kind", ErrorKind)
def test_anthropics_envelope(kind: ErrorKind) -> None:
    body = json.loads(encode_error(Dialect.ANTHROPIC, kind, MESSAGE, "req_1"))
    expected = {"type": FAILURES[kind].anthropic_type, "message": MESSAGE}
    assert body == {"type": "error", "error": expected, "request_id": "req_1"}


def test_anthropics_envelope_names_no_request_that_has_no_id() -> None:
    assert "request_id" not in json.loads(encode_error(Dialect.ANTHROPIC, ErrorKind.NOT_FOUND, MESSAGE, ""))


@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.RESPONSES, Dialect.OPENAI])
@pytest.mark.parametrize("kind", ErrorKind)
def test_openais_envelope(dialect: Dialect, kind: ErrorKind) -> None:
    failure = FAILURES[kind]
    assert json.loads(encode_error(dialect, kind, MESSAGE, "req_1")) == {
        "error": {"message": MESSAGE, "type": failure.openai_type, "param": None, "code": failure.openai_code}
    }


# The statuses and types of the published contract.
CONTRACT = {
    ErrorKind.INVALID_REQUEST: (400, "invalid_request_error", False),
    ErrorKind.CONTEXT_LENGTH: (400, "invalid_request_error", False),
    ErrorKind.AUTHENTICATION: (401, "authentication_error", True),
    ErrorKind.PERMISSION: (403, "permission_error", True),
    ErrorKind.NOT_FOUND: (404, "not_found_error", False),
    ErrorKind.METHOD_NOT_ALLOWED: (405, "invalid_request_error", False),
    ErrorKind.TOO_LARGE: (413, "request_too_large", False),
    ErrorKind.RATE_LIMIT: (429, "rate_limit_error", False),
    ErrorKind.BILLING: (429, "billing_error", True),
    ErrorKind.NOT_SUPPORTED: (501, "not_supported", True),
    ErrorKind.API_ERROR: (502, "api_error", False),
    ErrorKind.UNAVAILABLE: (503, "api_error", False),
    ErrorKind.TIMEOUT: (504, "timeout_error", False),
    ErrorKind.OVERLOADED: (529, "overloaded_error", False),
}


@pytest.mark.parametrize("kind", ErrorKind)
def test_status_type_and_retry_are_those_of_the_contract(kind: ErrorKind) -> None:
    status, name, final = CONTRACT[kind]
    assert status_of(Dialect.ANTHROPIC, kind) == status
    assert FAILURES[kind].anthropic_type == name
    assert is_final(kind) is final


def test_openai_clients_know_overload_as_503() -> None:
    assert status_of(Dialect.CHAT, ErrorKind.OVERLOADED) == 503
    assert status_of(Dialect.RESPONSES, ErrorKind.TIMEOUT) == 504


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("kind", ErrorKind)
def test_our_own_errors_are_understood_by_our_own_reading(dialect: Dialect, kind: ErrorKind) -> None:
    whole = accumulate(dialect, "application/json", "", encode_error(dialect, kind, MESSAGE, "r"))
    stream = accumulate(dialect, SSE, "", encode_stream_error(dialect, kind, MESSAGE, "r"))
    for answer in (whole, stream):
        assert answer.error_message == MESSAGE
        assert answer.error_type
        assert answer.warnings == []


@pytest.mark.parametrize("dialect", Dialect)
def test_a_stream_error_is_one_whole_event(dialect: Dialect) -> None:
    (event,) = decode(encode_stream_error(dialect, ErrorKind.API_ERROR, "a\nb", "r"))
    assert event.complete
    assert event.name == (b"error" if dialect in (Dialect.ANTHROPIC, Dialect.RESPONSES) else b"")
