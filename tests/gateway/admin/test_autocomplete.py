"""Whoever chooses a related row types for it: a gateway may have thousands of keys, teams and people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.models import User
from django.db import models
from django.forms import modelform_factory
from django.test import RequestFactory

from gateway.models import ApiKey, Team


def searched(page: Any, model: type[models.Model], column: Any) -> bool:
    """Whether the page's field for a related row is one that is typed into."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    form = modelform_factory(
        model, fields=[column.name], formfield_callback=lambda field: page.formfield_for_dbfield(field, request)
    )
    widget = form.base_fields[column.name].widget
    return isinstance(getattr(widget, "widget", widget), AutocompleteSelect)


def pages(request: Any) -> Iterator[tuple[type[models.Model], Any]]:
    """Every form of ours with its table, those within others too."""
    for model, page in admin.site._registry.items():
        if model._meta.app_label in ("gateway", "dashboard") and page.has_change_permission(request):
            yield model, page
            yield from ((inline.model, inline) for inline in page.get_inline_instances(request))


def chosen(page: Any, request: Any) -> set[str]:
    """The fields a form lets one change."""
    lines = [line for _, section in page.get_fieldsets(request) for line in section["fields"]]
    names = {name for line in lines for name in ([line] if isinstance(line, str) else line)}
    return names - set(page.get_readonly_fields(request))


def test_every_related_row_is_searched_for() -> None:
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    admin.autodiscover()
    found = {
        f"{owner.__name__}.{column.name}": searched(page, owner, column)
        for owner, page in pages(request)
        for column in owner._meta.concrete_fields
        if isinstance(column, models.ForeignKey) and column.name in chosen(page, request)
    }
    assert {name for name, is_searched in found.items() if not is_searched} == set()
    assert {
        "RouteTarget.provider",
        "ModelRoute.provider",
        "ApiKey.team",
        "ApiKey.owner",
        "BreakerHold.provider",
    } <= set(found)


@pytest.mark.django_db
def test_the_form_of_a_key_costs_the_same_with_a_thousand_teams(admin_client: Any) -> None:
    def size() -> int:
        return len(admin_client.get("/admin/gateway/apikey/add/").content)

    before = size()
    Team.objects.bulk_create(Team(name=f"team-{number}") for number in range(1000))
    ApiKey.objects.bulk_create(ApiKey(name=f"key-{number}", digest=number.to_bytes(32)) for number in range(1000))
    assert size() < before + 1000
