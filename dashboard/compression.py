"""Compresses the pages and answers we make ourselves, as the client accepts.

What the gateway relays never comes here: its paths have a handler of their own (`gateway/api/handler.py`), without this
middleware. Streams, small answers, pictures and exact bytes to download go as they are.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

SMALLEST: Final = 1_000
WORTH_IT: Final = ("text/html", "text/plain", "text/csv", "application/json", "image/svg+xml")


class Compression(GZipMiddleware):
    """Django's adds some random bytes to each, so that its length tells nothing of what is secret in it."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not isinstance(response, HttpResponse) or len(response.content) < SMALLEST:
            return response
        if response.has_header("Content-Disposition"):
            return response
        if not response.get("Content-Type", "").startswith(WORTH_IT):
            return response
        return super().process_response(request, response)
