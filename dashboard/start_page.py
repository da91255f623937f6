"""The admin's first page is the overview, of the last 24 hours: what stands there leads to the pages under /d/."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from dashboard.access import Viewer
from dashboard.pages import Need
from dashboard.scope import Scope
from dashboard.shell import notices_of
from dashboard.views.overview import overview_context


def add_to_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Called by the admin's theme. A person who may not see requests gets none of it."""
    viewer = Viewer.of(request.user)
    if viewer.may(Need.FIGURES):
        scope = Scope()
        context.update(overview_context(request, viewer, scope), scope=scope, viewer=viewer, notices=notices_of(viewer))
    return context
