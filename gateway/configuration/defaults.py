"""The two providers every installation has, as rows: what can be routed to is then seen in the admin."""

from __future__ import annotations

from typing import Any

from django.db import connections

from gateway.dialects.names import ProviderDialect
from gateway.models import Provider


def make_default_providers(using: str, **signal: Any) -> None:
    """After each migrate. Their addresses stay empty: those of the environment are meant."""
    if Provider._meta.db_table not in connections[using].introspection.table_names():
        return  # migrated back to nothing
    for dialect in ProviderDialect:
        values = {"dialect": dialect.value, "address": ""}
        Provider.objects.using(using).get_or_create(name=dialect.value, defaults=values)
