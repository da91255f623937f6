"""With keys for the history, what was said lies in the database encrypted; without a key it cannot be read any more."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from gateway.history.lineage import parts_of
from gateway.history.packing import Damaged
from gateway.history.partitions import PARTITIONED_TABLES, SEARCH_TABLES, TREE_TABLES
from gateway.history.queries import detail
from gateway.history.search.find import search
from gateway.history.search.index import index_batch
from gateway.history.search.secrecy import WORDS_ARE_OFF
from gateway.history.store import rebuild_request, rebuild_response
from gateway.history.visibility import EVERYTHING
from gateway.models import Blob, HeaderRecord, StoredBody
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.history.test_history_command import run
from tests.gateway.history.test_tree import assistant, request, user

pytestmark = pytest.mark.django_db
OLD, NEW = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = "marzipan"
Keys = Callable[..., None]


@pytest.fixture
def keys(settings: Any) -> Keys:
    def use(*texts: str) -> None:
        settings.HISTORY_KEYS = texts

    return use


def talk() -> list[uuid.UUID]:
    said = [user(f"{SECRET} " * 30), assistant(f"{SECRET}?"), user(f"no {SECRET}", marked=True)]
    headers = [("x-note", SECRET), ("x-claude-code-session-id", "s")]
    bodies: list[dict[str, Any] | bytes] = [request(*said[:1]), request(*said), b"whole: " + SECRET.encode()]
    answer = message_stream(f"All about {SECRET}.")
    return keep([Sample(body, answer, request_headers=headers) for body in bodies])


def everything_stored() -> bytes:
    found = b""
    with connection.cursor() as cursor:
        for table in (*PARTITIONED_TABLES, *TREE_TABLES, *SEARCH_TABLES):
            cursor.execute(f"SELECT row::text FROM {table} row")
            found += repr(cursor.fetchall()).encode()
        cursor.execute("SELECT data FROM gateway_blob UNION ALL SELECT data FROM gateway_storedbody")
        found += b"".join(bytes(row[0]) for row in cursor.fetchall())
    return found


@pytest.mark.django_db(transaction=True)
def test_what_was_said_is_nowhere_in_the_tables(keys: Keys) -> None:
    keys(NEW)
    ids = talk()
    index_batch()
    stored = everything_stored()
    assert SECRET.encode() not in stored
    assert SECRET.encode().hex().encode() not in stored
    assert [rebuild_request(id) for id in ids][1].count(SECRET.encode()) == 32
    assert all(SECRET.encode() in rebuild_response(id) for id in ids)
    assert ["x-note", SECRET] in detail(ids[0])["request_headers"]
    run("verify")


def test_conversations_share_what_is_encrypted(keys: Keys) -> None:
    keys(NEW)
    first, second, _ = talk()
    assert Blob.objects.filter(kind=Blob.Kind.MESSAGE).count() == 3
    assert parts_of(first).messages_leaf == next(part.node for part in parts_of(second).parts if part.kind == 3)
    assert {bytes(data)[0] for data in Blob.objects.values_list("data", flat=True)} == {2}


def test_a_new_key_seals_and_the_former_one_still_opens(keys: Keys) -> None:
    keys(OLD)
    before = talk()
    keys(NEW, OLD)
    after = talk()
    bodies = [[rebuild_request(id) for id in ids] for ids in (before, after)]
    assert bodies[0] == bodies[1]
    assert Blob.objects.filter(kind=Blob.Kind.MESSAGE).count() == 6


def test_dropping_a_key_shreds_what_it_covered_and_no_more(keys: Keys) -> None:
    keys(OLD)
    before = talk()
    keys(NEW, OLD)
    after = talk()
    keys(NEW)
    for id in before:
        with pytest.raises(Damaged, match="TURNLOG_HISTORY_KEYS"):
            rebuild_request(id)
        with pytest.raises(Damaged, match="TURNLOG_HISTORY_KEYS"):
            rebuild_response(id)
        assert detail(id)["request_headers"] == []
    assert all(SECRET.encode() in rebuild_request(id) for id in after)


def test_what_was_stored_before_there_was_a_key_stays_readable(keys: Keys) -> None:
    before = talk()
    keys(NEW)
    assert all(SECRET.encode() in rebuild_request(id) for id in before)
    assert SECRET in json.dumps(HeaderRecord.objects.get(request_id=before[0]).request_pairs)


def test_tampered_ciphertext_is_told(keys: Keys) -> None:
    keys(NEW)
    id = talk()[2]
    data = bytearray(StoredBody.objects.get(id=id, part=0).data)
    data[-1] ^= 1
    StoredBody.objects.filter(id=id, part=0).update(data=bytes(data))
    with pytest.raises(Damaged, match="not those that were written"):
        rebuild_request(id)


def test_pieces_of_text_are_found_and_words_say_that_they_are_off(keys: Keys) -> None:
    keys(NEW)
    ids = talk()
    index_batch()
    assert {hit.row["id"] for hit in search(f'"{SECRET}"', EVERYTHING).hits} & {str(id) for id in ids}
    assert search(SECRET, EVERYTHING).problems == [WORDS_ARE_OFF]


def test_pieces_are_found_under_every_key_in_force_and_under_none(keys: Keys) -> None:
    told = []
    for ring in ((), (OLD,), (NEW, OLD)):
        keys(*ring)
        told.append({str(id) for id in talk()})
        while index_batch():
            pass

    def seen() -> list[bool]:
        hits = {hit.row["id"] for hit in search(f'"all about {SECRET}"', EVERYTHING).hits}
        return [bool(hits & ids) for ids in told]

    assert seen() == [True, True, True]
    keys(NEW)
    assert seen() == [True, False, True]
