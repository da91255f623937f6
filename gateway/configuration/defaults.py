"""The two providers every installation has, as rows: what can be routed to is then seen in the admin."""

from __future__ import annotations

from typing import Any

from django.apps import apps as django_apps
from django.db import connections

from gateway.dialects.names import ProviderDialect
from gateway.models import Provider


def make_default_providers(using: str, **signal: Any) -> None:
    """After each migrate, backwards too: by the model as it then is. Their addresses stay empty: those of the
    environment are meant."""
    if Provider._meta.db_table not in connections[using].introspection.table_names():
        return  # migrated back to nothing
    apps = signal.get("apps", django_apps)
    manager = apps.get_model("gateway", "Provider").objects.using(using)
    for dialect in ProviderDialect:
        values = {"dialect": dialect.value, "address": ""}
        manager.get_or_create(name=dialect.value, defaults=values)
