"""What we make ourselves is compressed as the client accepts; streams, small answers and exact bytes are not."""

from __future__ import annotations

import gzip

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from dashboard.compression import Compression

LONG = "an answer of ours " * 100


def answered(response: HttpResponseBase, accepted: str = "gzip, br") -> HttpResponseBase:
    request: HttpRequest = RequestFactory().get("/", HTTP_ACCEPT_ENCODING=accepted)
    return Compression(lambda _: response)(request)  # type: ignore[no-any-return]


@pytest.mark.django_db
def test_a_page_is_compressed_and_the_same() -> None:
    plain = Client().get("/")
    packed = Client().get("/", HTTP_ACCEPT_ENCODING="gzip")
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content)
    assert "Content-Encoding" not in plain


@pytest.mark.parametrize("accepted", ["", "br", "identity"])
def test_nobody_gets_what_they_do_not_accept(accepted: str) -> None:
    assert "Content-Encoding" not in answered(HttpResponse(LONG), accepted)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse("short"),
        HttpResponse(LONG, content_type="image/png"),
        HttpResponse(LONG, content_type="text/plain", headers={"Content-Disposition": "attachment"}),
        StreamingHttpResponse(iter([LONG.encode()])),
    ],
    ids=["short", "picture", "download", "stream"],
)
def test_the_rest_goes_as_it_is(response: HttpResponseBase) -> None:
    assert "Content-Encoding" not in answered(response)


def test_json_of_ours_is_compressed() -> None:
    assert answered(HttpResponse(LONG, content_type="application/json"))["Content-Encoding"] == "gzip"


def test_it_stands_before_whatever_makes_pages() -> None:
    assert settings.MIDDLEWARE.index("dashboard.compression.Compression") == 1
