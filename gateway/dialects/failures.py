"""Why the gateway itself refuses or fails, and how each API says so. A provider's error reply is none of these."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class ErrorKind(StrEnum):
    """Closed: a new kind needs its row in `FAILURES`."""

    INVALID_REQUEST = "invalid_request"
    CONTEXT_LENGTH = "context_length"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    RATE_LIMIT = "rate_limit"
    BILLING = "billing"
    NOT_SUPPORTED = "not_supported"
    API_ERROR = "api_error"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"


class Failure(NamedTuple):
    """`final`: the answer carries `x-should-retry: false`, because trying again cannot help."""

    anthropic_status: int
    anthropic_type: str
    openai_status: int
    openai_type: str
    openai_code: str | None
    final: bool


# OpenAI has no 529: its clients know an overloaded provider as 503.
FAILURES: Final[dict[ErrorKind, Failure]] = {
    ErrorKind.INVALID_REQUEST: Failure(400, "invalid_request_error", 400, "invalid_request_error", None, False),
    ErrorKind.CONTEXT_LENGTH: Failure(
        400, "invalid_request_error", 400, "invalid_request_error", "context_length_exceeded", False
    ),
    ErrorKind.AUTHENTICATION: Failure(
        401, "authentication_error", 401, "invalid_request_error", "invalid_api_key", True
    ),
    ErrorKind.PERMISSION: Failure(403, "permission_error", 403, "invalid_request_error", "permission_denied", True),
    ErrorKind.NOT_FOUND: Failure(404, "not_found_error", 404, "invalid_request_error", "not_found", False),
    ErrorKind.METHOD_NOT_ALLOWED: Failure(
        405, "invalid_request_error", 405, "invalid_request_error", "method_not_allowed", False
    ),
    ErrorKind.TOO_LARGE: Failure(413, "request_too_large", 413, "invalid_request_error", "request_too_large", False),
    ErrorKind.RATE_LIMIT: Failure(429, "rate_limit_error", 429, "requests", "rate_limit_exceeded", False),
    ErrorKind.BILLING: Failure(429, "billing_error", 429, "insufficient_quota", "insufficient_quota", True),
    ErrorKind.NOT_SUPPORTED: Failure(501, "not_supported", 501, "invalid_request_error", "not_supported", True),
    ErrorKind.API_ERROR: Failure(502, "api_error", 502, "server_error", "api_error", False),
    ErrorKind.OVERLOADED: Failure(529, "overloaded_error", 503, "server_error", "overloaded", False),
    ErrorKind.TIMEOUT: Failure(504, "timeout_error", 504, "server_error", "timeout", False),
    ErrorKind.UNAVAILABLE: Failure(503, "api_error", 503, "server_error", "service_unavailable", False),
}
