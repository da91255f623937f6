"""`history verify` proves what is stored once, whatever it is used for, and says what nothing uses."""

from __future__ import annotations

import io
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from gateway.history import blob_verification
from gateway.history.packing import pack
from gateway.history.partitions import PARTITIONED_TABLES
from gateway.models import Blob, Node
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.history.test_history_command import run
from tests.gateway.history.test_tree import request, user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation() -> list[uuid.UUID]:
    said = [user(f"message {number}") for number in range(12)]
    return keep([Sample(request(*said[:end]), message_stream(f"Answer {end}."), team="red") for end in (9, 12)])


def test_verify_finds_nothing_wrong_however_little_it_reads_at_once(
    conversation: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_verification, "KEYS_AT_ONCE", 3)
    monkeypatch.setattr(blob_verification, "BYTES_AT_ONCE", 20)
    output = io.StringIO()
    call_command("history", "verify", stdout=io.StringIO(), stderr=output)
    assert f" {Blob.objects.count()} blobs read" in output.getvalue()
    assert "everything is intact" in output.getvalue()


def verify_says() -> str:
    output = io.StringIO()
    with pytest.raises(CommandError, match="problems found"):
        call_command("history", "verify", stdout=output, stderr=io.StringIO())
    return output.getvalue()


def test_verify_finds_a_damaged_blob_by_itself(conversation: list[uuid.UUID]) -> None:
    """Of an answer's message no body is made: nothing but the blob itself shows that it is damaged."""
    reply = Blob.objects.filter(kind=Blob.Kind.REPLY).first()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE gateway_blob SET data = set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) # 1) "
            "WHERE digest = %s",
            [bytes(reply.digest)],
        )
    said = verify_says()
    assert bytes(reply.digest).hex() in said
    assert len(said.splitlines()) == 1


def test_verify_finds_a_blob_that_holds_something_else(conversation: list[uuid.UUID]) -> None:
    reply = Blob.objects.filter(kind=Blob.Kind.REPLY).first()
    Blob.objects.filter(digest=reply.digest).update(data=pack(b"x" * reply.size))
    assert f"{bytes(reply.digest).hex()}  blob of" in verify_says()
    assert "digest they are stored under" in verify_says()


def test_verify_finds_what_nothing_refers_to_and_a_sweep_removes_it(conversation: list[uuid.UUID]) -> None:
    """As an erasure leaves it that was killed before its sweep."""
    for table in PARTITIONED_TABLES:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")
    said = verify_says()
    assert "blobs that nothing refers to" in said
    assert "nodes that nothing refers to" in said
    assert run("sweep", "--yes").endswith("blobs removed\n")
    assert not Blob.objects.exists()
    assert run("verify") == ""


def test_verify_finds_that_an_answers_message_is_missing(conversation: list[uuid.UUID]) -> None:
    Blob.objects.filter(kind=Blob.Kind.REPLY).delete()
    assert "2 blobs are referred to and are not there" in verify_says()


def test_verify_finds_a_node_that_is_missing(conversation: list[uuid.UUID]) -> None:
    Node.objects.filter(depth=2).delete()
    assert "nodes are referred to and are not there" in verify_says()
