"""What conversations are made of, stored once: blobs, the prefix tree, and pages of manifests.

All of it belongs to a month (that of the request's id) and a scope (the team), and is partitioned by month, so that a
month goes whole and teams share nothing. Digests are the first 20 bytes of BLAKE3; with encryption at rest it is keyed.
`epoch` is the sweep in whose time a row was last needed anew (see `gateway/history/sweeping.py`).
"""

from __future__ import annotations

from django.db import models


class Scope(models.Model):
    """Those who share stored text: a team, by the name it had when the exchange was recorded."""

    id = models.AutoField(primary_key=True)
    team = models.TextField(unique=True)

    def __str__(self) -> str:
        return self.team


class Epoch(models.Model):
    """One row: the number of the last sweep that was begun. What was stored before it may be swept."""

    id = models.AutoField(primary_key=True)
    number = models.IntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)


class Blob(models.Model):
    """Bytes of a request, or an answer's message, that are stored once."""

    class Kind(models.IntegerChoices):
        SKELETON = 0, "skeleton"
        TOOL = 1, "tool"
        SYSTEM = 2, "system block"
        MESSAGE = 3, "message"
        REPLY = 4, "reply"

    pk = models.CompositePrimaryKey("month", "scope", "digest")
    month = models.DateField()
    scope = models.IntegerField()
    epoch = models.IntegerField()
    size = models.IntegerField(help_text="bytes before compression")
    kind = models.SmallIntegerField(choices=Kind.choices)
    digest = models.BinaryField()
    data = models.BinaryField(help_text="packed: see gateway/history/packing.py")

    def __str__(self) -> str:
        return bytes(self.digest).hex()


class Node(models.Model):
    """One part of a request after all the parts before it. Tools and then system are one chain, messages another."""

    pk = models.CompositePrimaryKey("month", "scope", "digest")
    month = models.DateField()
    scope = models.IntegerField()
    epoch = models.IntegerField()
    depth = models.IntegerField(help_text="1 for the first part")
    kind = models.SmallIntegerField(choices=Blob.Kind.choices)
    digest = models.BinaryField(help_text="of the parent's digest and the part's")
    parent = models.BinaryField(null=True)
    part = models.BinaryField(help_text="digest of the part's normal form")
    blob = models.BinaryField(help_text="a blob that says what the part says")

    def __str__(self) -> str:
        return bytes(self.digest).hex()


class ManifestPage(models.Model):
    """Up to eight blobs in the order of a request's list, and the page before; turns share their pages."""

    pk = models.CompositePrimaryKey("month", "scope", "digest")
    month = models.DateField()
    scope = models.IntegerField()
    epoch = models.IntegerField()
    digest = models.BinaryField(help_text="of the page before and the entries")
    previous = models.BinaryField(null=True)
    entries = models.BinaryField(help_text="digests of blobs, one after the other")

    def __str__(self) -> str:
        return bytes(self.digest).hex()
