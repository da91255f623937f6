"""The version of everything ops configure; triggers on its tables raise it and notify `turnlog_config`."""

from __future__ import annotations

from django.db import models


class ConfigurationVersion(models.Model):
    """One row. The number rises with each statement that changes a configuration table."""

    number = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return str(self.number)
