"""Bodies, byte for byte. Only `gateway/history/store.py` reads and writes them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class StoredBody(models.Model):
    """The bytes of one direction of one exchange: whole, or where its parts are.

    `codec` is `zstd` (whole, the oldest form), `packed` (whole) or `split`; `data` of a split body holds its marks.
    """

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

    skeleton = models.BinaryField(null=True, help_text="split: the blob of what is not a part")
    heads = ArrayField(models.BinaryField(null=True), null=True, help_text="split: for each list its last page")
    tails = ArrayField(models.BinaryField(), null=True, help_text="split: for each list the blobs after that page")
    whole_because = models.TextField(null=True, help_text="why a request's body was not split")

    def __str__(self) -> str:
        return f"{self.id}/{self.part}"


class WithdrawnResponse(models.Model):
    """A kept response that its caller had deleted: no host gives it out again. The record of the exchange stays."""

    exchange_id = models.UUIDField(primary_key=True)
    withdrawn_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.exchange_id)
