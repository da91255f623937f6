"""Pages for people."""

from __future__ import annotations

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gateway.configuration.building import keyed_by_environment
from gateway.models import ApiKey
from proxy_project.embedded.connect import connection_lines


@require_GET
def landing(request: HttpRequest) -> HttpResponse:
    """What this is and how to connect to it, by the address it was asked under."""
    keyed = asks_for_a_key()
    address = base_url(request)
    blocks = [(client, text.split("\n")) for client, text in connection_lines(address, keyed=keyed)]
    return render(request, "dashboard/landing.html", {"base_url": address, "blocks": blocks, "keyed": keyed})


def base_url(request: HttpRequest) -> str:
    """Scheme, host and port as the browser used them, without a trailing slash."""
    return request.build_absolute_uri("/").rstrip("/")


def asks_for_a_key() -> bool:
    """Whether the gateway is in keyed mode; while the database is away, as far as the environment says."""
    if keyed_by_environment():
        return True
    try:
        return ApiKey.objects.exists()
    except DatabaseError:
        return False
