"""What is known of backups: when they were made, and of those that failed."""

from __future__ import annotations

from django.db import models


class BackupRecord(models.Model):
    """How one run of `manage.py backup` ended. It names no place and nothing that is in the file."""

    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    whole = models.BooleanField(default=False)
    size = models.BigIntegerField(null=True, help_text="bytes of the file; null where none was made")
    with_spool = models.BooleanField()
    with_secrets = models.BooleanField()
    problem = models.CharField(max_length=200, blank=True, help_text="why there is none")

    def __str__(self) -> str:
        return f"{'whole' if self.whole else 'failed'}, {self.ended_at:%Y-%m-%d %H:%M}"

    @property
    def took_ms(self) -> float:
        return (self.ended_at - self.began_at).total_seconds() * 1000
