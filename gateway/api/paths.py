"""Which paths are the gateway's, and what to say about those that are not."""

from __future__ import annotations

from gateway.api.refusals import Refusal
from gateway.api.request import GatewayRequest, split_label
from gateway.dialects.failures import ErrorKind
from gateway.policy.surfaces import right_base_url

PROBES = frozenset({"/livez", "/readyz", "/ready", "/health", "/healthz", "/openapi.json", "/protocol", "/metrics"})
READ_API = frozenset(
    {"requests", "conversations", "search", "stats", "settings", "grade-prompt", "openapi.json", "docs"}
)
"""What programs read the history by, served with the pages. All else below /api/ is what clients ask a provider."""
PAGES = ("/admin/", "/static/", "/d/")
"""Prefixes that are never taken for a mistaken API path."""


def is_gateway_path(method: str, path: str) -> bool:
    """Whether the lean handler answers. Everything else is a page's."""
    if path.startswith("/api/v1/") and path.split("/", 4)[3] in READ_API:
        return False
    if path.startswith(("/v1/", "/api/")) or path == "/v1" or path in PROBES:
        return True
    if path == "/":
        return method == "HEAD"
    if path.startswith("/t/"):
        label, rest = split_label(path)
        return bool(label) and not rest.startswith("/t/") and is_gateway_path(method, rest)
    return not path.startswith(PAGES) and ("/v1/" in path or right_base_url(path) is not None)


def not_found(request: GatewayRequest) -> Refusal:
    """A 404 that names the right base URL when the path looks like one made of a wrong one."""
    wrong = right_base_url(request.path)
    origin = own_origin(request)
    if wrong is None:
        return Refusal(ErrorKind.NOT_FOUND, f"There is nothing at {request.path}. The gateway's paths begin with /v1/.")
    return Refusal(
        ErrorKind.NOT_FOUND,
        f"There is nothing at {request.path}: the client's base URL is wrong. For Claude Code and the Anthropic SDKs "
        f"it is {origin} (ANTHROPIC_BASE_URL); for OpenAI's SDKs and Codex it is {origin}/v1.",
    )


def own_origin(request: GatewayRequest) -> str:
    """This gateway's address as the caller wrote it."""
    host = (request.header(b"host") or b"").decode("latin-1")
    return f"{request.scope.get('scheme', 'http')}://{host}"
