"""Bodies an earlier release kept whole are split, and come back as they were."""

from __future__ import annotations

import hashlib
import uuid

import pytest
import zstandard
from django.db import connection

from gateway.history.lineage import parts_of
from gateway.history.resplitting import split_whole_bodies
from gateway.history.store import rebuild_request
from gateway.models import Blob, RequestLog, StoredBody
from tests.exchanges import Sample, keep
from tests.gateway.history.test_tree import assistant, request, user

pytestmark = pytest.mark.django_db(transaction=True)


def as_before(ids: list[uuid.UUID], bodies: list[bytes]) -> None:
    """What the release before left: bodies compressed whole, no leaves, no replies."""
    Blob.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE gateway_node, gateway_manifestpage")
        cursor.execute("UPDATE gateway_requestlog SET prefix_leaf = NULL, messages_leaf = NULL, scope = 0")
        cursor.execute("UPDATE gateway_responselog SET reply = NULL")
        for id, body in zip(ids, bodies, strict=True):
            cursor.execute(
                "UPDATE gateway_storedbody SET codec = 'zstd', data = %s, sha256 = %s, skeleton = NULL, heads = NULL, "
                "tails = NULL WHERE id = %s AND part = 0",
                [zstandard.compress(body), hashlib.sha256(body).digest(), id],
            )


def test_whole_bodies_are_split_and_point_into_the_tree() -> None:
    said = [user("one"), assistant("Hello."), user("three")]
    bodies = [request(*said[:1]), request(*said), b"not json", request(user("team"))]
    ids = keep([Sample(body, team="red" if b"team" in body else "") for body in bodies])
    as_before(ids, bodies)
    assert list(split_whole_bodies()) == [4]
    assert [rebuild_request(id) for id in ids] == bodies
    assert list(StoredBody.objects.filter(part=0).order_by("id").values_list("codec", flat=True)) == [
        "split", "split", "packed", "split",
    ]  # fmt: skip
    first, second = parts_of(ids[0]), parts_of(ids[1])
    assert first.messages_leaf == next(part.node for part in second.parts if part.kind == Blob.Kind.MESSAGE)
    reply = RequestLog.objects.select_related("response").get(id=ids[0]).response.reply
    assert bytes(reply or b"") in [part.blob for part in second.parts]
    assert parts_of(ids[3]).scope != 0
    assert list(split_whole_bodies()) == []


def test_a_damaged_body_stays_as_it_is() -> None:
    ids = keep([Sample(request(user("x")))])
    as_before(ids, [request(user("x"))])
    StoredBody.objects.filter(part=0).update(data=b"damaged")
    list(split_whole_bodies())
    assert StoredBody.objects.get(part=0).codec == "zstd"
