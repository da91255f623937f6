"""`/api/v1`: the application its routes are made on, and the one shape of its errors."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from gateway.read_api.access import Refused, by_key, by_session

LONGEST_DETAILS = 2_000
UNKNOWN = (
    "Nobody is signed in, and no good key came.",
    "Sign in, or send a key as Authorization: Bearer KEY",
)


class Error(Schema):
    """`error` says what is wrong, `details` what to do."""

    error: str
    details: str | None = None


REFUSED = {401: Error, 403: Error}
"""What every route may answer."""
NARROWED = {**REFUSED, 422: Error}
"""And every route that is asked for something."""

api = NinjaAPI(
    title="Turnlog read API",
    version="1",
    urls_namespace="read_api",
    docs_url=None,
    auth=[by_key, by_session],
    description="The history, for programs. Sign in to the pages, or send a key of the gateway as Authorization: "
    "Bearer KEY or x-api-key: it reads what its team's keys made. What is not known is left out: absent is not zero.",
)


def problem(request: HttpRequest, status: int, error: str, details: str | None = None) -> HttpResponse:
    told = {"error": error} | ({"details": details[:LONGEST_DETAILS]} if details else {})
    return api.create_response(request, told, status=status)


@api.exception_handler(Refused)
def tell_refused(request: HttpRequest, refused: Refused) -> HttpResponse:
    return problem(request, refused.status, refused.error, refused.details)


@api.exception_handler(AuthenticationError)
def tell_unknown(request: HttpRequest, unknown: AuthenticationError) -> HttpResponse:
    answer = problem(request, 401, *UNKNOWN)
    answer["WWW-Authenticate"] = "Bearer"
    return answer


@api.exception_handler(HttpError)
def tell_http(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(request, error.status_code, str(error), "The routes and their shapes: /api/v1/openapi.json")


@api.exception_handler(ValidationError)
def tell_invalid(request: HttpRequest, invalid: ValidationError) -> HttpResponse:
    lines = [f"{place(each)}: {each.get('msg', 'is not valid')}" for each in invalid.errors]
    return problem(request, 422, "The request cannot be understood.", "; ".join(lines))


def place(error: dict[str, Any]) -> str:
    """The name of what is wrong, without the names of the code's own arguments."""
    inner = [str(part) for part in error.get("loc", ())]
    return ".".join(inner[-2:] if inner[:1] == ["body"] else inner[-1:])
