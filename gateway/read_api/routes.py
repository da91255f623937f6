"""The routes of `/api/v1`, one module for each noun; what is none of them is told in the API's own shape."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from gateway.read_api import conversations, grading, pages, requests, searching, settings, stats
from gateway.read_api.application import api, problem

__all__ = ["api", "conversations", "grading", "pages", "requests", "searching", "settings", "stats"]


@api.api_operation(
    ["GET", "POST", "PUT", "PATCH", "DELETE"], "/{path:rest}", auth=None, include_in_schema=False, url_name="nothing"
)
def nothing(request: HttpRequest, rest: str) -> Any:
    return problem(request, 404, f"There is nothing at /api/v1/{rest}.", "The routes: /api/v1/openapi.json")
