"""Bodies, byte for byte. Only `gateway/history/store.py` reads and writes them."""

from __future__ import annotations

from django.db import models


class StoredBody(models.Model):
    """The bytes of one direction of one exchange, zstd-compressed whole."""

    class Part(models.IntegerChoices):
        REQUEST = 0, "request"
        RESPONSE = 1, "response"

    pk = models.CompositePrimaryKey("id", "part")
    id = models.UUIDField()
    part = models.SmallIntegerField(choices=Part.choices)
    size = models.BigIntegerField(help_text="bytes before compression")
    sha256 = models.BinaryField(help_text="of the bytes before compression")
    codec = models.TextField(default="zstd")
    data = models.BinaryField()
    patch = models.JSONField(
        null=True, help_text="list of start, end and text of what the route replaced on the way out"
    )

    def __str__(self) -> str:
        return f"{self.id}/{self.part}"
