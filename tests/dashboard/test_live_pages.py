"""The live pages as they are first sent: before anything moves they say what would."""

from __future__ import annotations

import pytest
from django.urls import reverse

from dashboard.live.hub import hub
from tests.dashboard.people import client_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("name", "words"), [("live", "Nothing is under way"), ("agents", "Nobody is at work")])
def test_an_empty_page_teaches(name: str, words: str) -> None:
    page = client_of("superuser").get(reverse(f"d:{name}"))
    assert page.status_code == 200
    assert words in page.text


def test_nothing_is_listened_to_when_nobody_looks_any_more() -> None:
    client_of("superuser").get(reverse("d:live_since"))
    assert hub.is_listening
    hub.stop()
    assert not hub.is_listening
