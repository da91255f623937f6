"""Pictures of a conversation: shown as nothing but pictures."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from django.test import Client

from tests.dashboard.test_request_page import REQUEST, page
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def picture(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return {"role": "user", "content": [{"type": "image", "source": source}]}


def test_a_picture_of_the_conversation_is_shown_as_nothing_but_a_picture(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST | {"messages": [picture(PNG)]}))
    (address,) = re.findall(r'<img src="(/d/r/[^"]+)"', page(admin, request_id))
    response = admin.get(address)
    assert response.content == PNG
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


@pytest.mark.parametrize("data", [b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"<html>x</html>"])
def test_what_only_calls_itself_a_picture_is_not_served(admin: Client, data: bytes) -> None:
    request_id = keep_one(Sample(REQUEST | {"messages": [picture(data)]}))
    (address,) = re.findall(r'<img src="(/d/r/[^"]+)"', page(admin, request_id))
    assert admin.get(address).status_code == 404


def test_drawings_are_not_shown(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST | {"messages": [picture(b"<svg/>" * 9, "image/svg+xml")]}))
    assert "image/svg+xml" in page(admin, request_id)
    assert '<img src="/d/r/' not in page(admin, request_id)
