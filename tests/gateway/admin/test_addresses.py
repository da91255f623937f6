"""Addresses that somebody made up."""

from __future__ import annotations

import pytest
from django.test import Client

from gateway.models import Team


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "9" * 40, "", "null"])
def test_a_form_is_not_filled_in_with_what_cannot_be(admin: Client, value: str) -> None:
    assert admin.get("/admin/gateway/apikey/add/", {"team": value, "name": value}).status_code == 200


def test_a_form_is_filled_in_by_its_address(admin: Client) -> None:
    team = Team.objects.create(name="search")
    page = admin.get("/admin/gateway/apikey/add/", {"team": team.pk, "name": "ci"}).content.decode()
    assert 'value="ci"' in page
    assert f'value="{team.pk}" selected' in page
