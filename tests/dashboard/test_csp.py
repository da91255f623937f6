"""What pages may load and run, and what caches may keep."""

from __future__ import annotations

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from dashboard.csp import content_security

pytestmark = pytest.mark.django_db


def directives(response: HttpResponse) -> dict[str, list[str]]:
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def test_the_landing_page_runs_nothing_inline() -> None:
    policy = directives(Client().get("/"))
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]


def test_the_admin_evaluates_but_runs_nothing_inline() -> None:
    policy = directives(Client().get("/admin/"))
    assert policy["script-src"] == ["'self'", "'unsafe-eval'"]
    assert policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nowhere", "/admin/nowhere/"])
def test_every_page_says_how_it_may_be_used(path: str) -> None:
    response = Client().get(path)
    assert "Content-Security-Policy" in response
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"


def test_no_cache_keeps_a_page_of_the_admin() -> None:
    assert Client().get("/admin/")["Cache-Control"] == "no-store"


async def test_the_policy_is_the_same_under_an_asynchronous_server() -> None:
    response = await AsyncClient().get("/nowhere")
    assert directives(response)["default-src"] == ["'none'"]


async def test_the_middleware_is_asynchronous_where_its_server_is() -> None:
    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    middleware = content_security(answer)
    assert iscoroutinefunction(middleware)
    assert "Content-Security-Policy" in await middleware(RequestFactory().get("/"))


def test_a_view_s_own_policy_is_kept() -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "sandbox"})
    assert content_security(lambda request: own)(RequestFactory().get("/"))["Content-Security-Policy"] == "sandbox"
