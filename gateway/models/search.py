"""The projection that search runs on: one row for each text that is stored, made from blobs and made anew at will.

Partitioned by month like the blobs, with the same keys. `SearchQueue` holds what is stored and not yet in it.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models


class SearchText(models.Model):
    """What one blob is found by."""

    pk = models.CompositePrimaryKey("month", "scope", "digest")
    month = models.DateField()
    scope = models.IntegerField()
    digest = models.BinaryField(help_text="of the blob")
    exchange_id = models.UUIDField(help_text="the exchange that first brought it")
    kind = models.SmallIntegerField(help_text="as in Blob")
    words = SearchVectorField(
        help_text="words, and labels such as tool=read; of an encrypted history keyed labels only"
    )
    trigrams = ArrayField(models.SmallIntegerField(), help_text="hashed; of an encrypted history keyed")

    class Meta:
        indexes = [
            # Of the 4 MB that may wait outside an index by default, most would stay as holes in a small one.
            GinIndex(fields=["words"], name="searchtext_words", gin_pending_list_limit=512),
            GinIndex(fields=["trigrams"], name="searchtext_trigrams", gin_pending_list_limit=512),
            models.Index(fields=["-exchange_id"], name="searchtext_newest"),
            models.Index(fields=["scope", "-exchange_id"], name="searchtext_newest_of_scope"),
        ]

    def __str__(self) -> str:
        return bytes(self.digest).hex()


class SearchQueue(models.Model):
    """A blob that is stored and cannot be found yet."""

    month = models.DateField()
    scope = models.IntegerField()
    digest = models.BinaryField()
    kind = models.SmallIntegerField()
    exchange_id = models.UUIDField()

    def __str__(self) -> str:
        return bytes(self.digest).hex()
