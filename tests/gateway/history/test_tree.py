"""Requests are split, stored once and rebuilt to the same bytes; conversations share what they have in common."""

from __future__ import annotations

import datetime
import json
import uuid
from typing import Any

import pytest
from django.db import connection

from gateway.dialects.names import Dialect
from gateway.history.lineage import Part, parts_of
from gateway.history.manifests import read_blobs
from gateway.history.partitions import PARTITIONED_TABLES, TREE_TABLES
from gateway.history.store import rebuild_request, rebuild_response
from gateway.history.writer import HistoryWriter
from gateway.models import Blob, ManifestPage, Node, RequestLog, StoredBody
from gateway.recording.rows import RowBuilder
from tests.exchanges import Sample, keep, keep_one
from tests.gateway.history.test_history_command import run
from tests.transcripts.captured import Exchange, exchanges

pytestmark = pytest.mark.django_db
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}


def request(*messages: Any, **more: Any) -> bytes:
    body = {"model": "claude-opus-5-5", "messages": list(messages), "system": "Be brief.", **more}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def user(text: str, *, marked: bool = False) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text, **EPHEMERAL}] if marked else text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def written_one_by_one(bodies: list[bytes], at: datetime.datetime | None = None) -> list[uuid.UUID]:
    """As one loader stores them, a batch for each, remembering what it stored."""
    builder = RowBuilder()
    connection.ensure_connection()
    writer = HistoryWriter(connection.connection)
    ids = []
    for body in bodies:
        sample = Sample(body) if at is None else Sample(body, at=at)
        rows = builder.build(sample.recorded())
        writer.ensure_months([rows])
        writer.write([rows])
        writer.settle([rows])
        ids.append(rows.id)
    return ids


@pytest.mark.parametrize("exchange", exchanges(), ids=str)
def test_every_captured_request_is_split_and_comes_back(exchange: Exchange) -> None:
    id = keep_one(Sample(exchange.request_body, dialect=exchange.dialect))
    assert rebuild_request(id) == exchange.request_body
    assert StoredBody.objects.get(id=id, part=0).codec == "split"
    lineage = parts_of(id)
    body = json.loads(exchange.request_body)
    named = {1: "tools", 2: "system", 3: "input" if exchange.dialect is Dialect.RESPONSES else "messages"}
    for kind, name in named.items():
        assert [part.place for part in lineage.parts if part.kind == kind] == list(range(len(body.get(name, []))))


@pytest.mark.parametrize(
    ("body", "dialect", "reason"),
    [
        (b"not json", Dialect.ANTHROPIC, "not a JSON object"),
        (b"[1,2]", Dialect.ANTHROPIC, "not a JSON object"),
        (b'{"model":"x"}', Dialect.ANTHROPIC, "no messages in it"),
        (b'{"messages":[]}', Dialect.CHAT, "no messages in it"),
        (b'{"input":[1,2]}', Dialect.RESPONSES, "no messages in it"),
        (b'{"input":"x"}', Dialect.OPENAI, "no shape that is known"),
    ],
)
def test_what_does_not_fit_is_kept_whole_and_says_so(body: bytes, dialect: Dialect, reason: str) -> None:
    id = keep_one(Sample(body, dialect=dialect))
    stored = StoredBody.objects.get(id=id, part=0)
    assert (stored.codec, stored.whole_because) == ("packed", reason)
    assert rebuild_request(id) == body
    assert parts_of(id).parts == []


def test_a_compressed_body_is_kept_whole() -> None:
    id = keep_one(Sample(b"\x1f\x8b...", request_headers=[("content-encoding", "gzip")]))
    assert StoredBody.objects.get(id=id, part=0).whole_because == "content coding gzip"
    assert rebuild_request(id) == b"\x1f\x8b..."


def test_a_resent_conversation_adds_what_is_new_and_no_more() -> None:
    said = [user("one " * 200), assistant("two " * 200)]
    bodies = [request(*said[:1]), request(*said, user("three")), request(*said, user("three"), assistant("four"))]
    ids = written_one_by_one(bodies)
    assert [rebuild_request(id) for id in ids] == bodies
    # The system prompt, four messages; and the answer all three requests got.
    assert Blob.objects.exclude(kind=Blob.Kind.SKELETON).count() == 6
    assert Blob.objects.filter(kind=Blob.Kind.SKELETON).count() == 1
    assert Node.objects.count() == 5


def test_the_cache_mark_moves_and_costs_no_blob() -> None:
    bodies = [
        request(user("first " * 50, marked=True)),
        request(user("first " * 50), assistant("yes"), user("second " * 50, marked=True)),
        request(user("first " * 50), assistant("yes"), user("second " * 50), assistant("no"), user("x", marked=True)),
    ]
    ids = written_one_by_one(bodies)
    assert [rebuild_request(id) for id in ids] == bodies
    assert Blob.objects.filter(kind=Blob.Kind.MESSAGE).count() == 5
    [marked] = [part for part in parts_of(ids[0]).parts if part.marks]
    assert b"".join(marked.marks) == b'[{"type":"text","text":,"cache_control":{"type":"ephemeral"}}]'


def test_turns_of_one_conversation_lie_on_one_path() -> None:
    said = [user("one"), assistant("two"), user("three"), assistant("four"), user("five")]
    first, second = written_one_by_one([request(*said[:3]), request(*said)])
    earlier, later = parts_of(first), parts_of(second)
    assert earlier.prefix_leaf == later.prefix_leaf
    assert earlier.messages_leaf == [part for part in later.parts if part.kind == Blob.Kind.MESSAGE][2].node
    row = RequestLog.objects.get(id=second)
    assert bytes(row.messages_leaf or b"") == later.messages_leaf


def test_a_change_in_the_prefix_leaves_the_messages_on_their_path() -> None:
    said = [user("one"), assistant("two"), user("three")]
    ids = written_one_by_one([request(*said), request(*said, tools=[{"name": "Read", "input_schema": {}}])])
    one, other = (parts_of(id) for id in ids)
    assert one.messages_leaf == other.messages_leaf
    assert one.prefix_leaf != other.prefix_leaf
    assert [part.kind for part in other.parts] == [1, 2, 3, 3, 3]


def test_long_conversations_share_full_pages() -> None:
    said = [user(f"message {number}") for number in range(40)]
    bodies = [request(*said[:count]) for count in range(1, 41)]
    ids = written_one_by_one(bodies)
    assert [rebuild_request(id) for id in ids] == bodies
    assert ManifestPage.objects.count() == 5 + 1, "and one for the list of tools or system blocks that all have"


def test_teams_share_nothing() -> None:
    body = request(user("the same"))
    keep([Sample(body), Sample(body, team="red"), Sample(body, team="blue"), Sample(body, team="red")])
    scopes = Blob.objects.filter(kind=Blob.Kind.MESSAGE).values_list("scope", flat=True)
    assert len(scopes) == len(set(scopes)) == 3
    assert {row.scope for row in RequestLog.objects.all()} == set(scopes)


def test_a_new_month_stores_its_prefix_again() -> None:
    said = [user(f"message {number}") for number in range(20)]
    october = datetime.datetime(2026, 10, 31, 23, 59, tzinfo=datetime.UTC)
    [old] = written_one_by_one([request(*said)], october)
    [new] = written_one_by_one([request(*said, user("more"))], october + datetime.timedelta(minutes=2))
    assert set(Blob.objects.filter(kind=3).values_list("month", flat=True)) == {
        datetime.date(2026, 10, 1),
        datetime.date(2026, 11, 1),
    }
    Blob.objects.filter(month=datetime.date(2026, 10, 1)).delete()
    ManifestPage.objects.filter(month=datetime.date(2026, 10, 1)).delete()
    assert rebuild_request(new) == request(*said, user("more"))
    assert old != new


def test_the_text_of_a_part_is_read_by_its_digest() -> None:
    id = keep_one(Sample(request(user("hello"))))
    lineage = parts_of(id)
    part: Part = lineage.parts[-1]
    assert read_blobs(id, lineage.scope, [part.blob])[part.blob] == b'{"role":"user","content":"hello"}'
    assert part.size == len(b'{"role":"user","content":"hello"}')


def test_an_answer_is_found_by_the_request_that_sends_it_back() -> None:
    first = keep_one(Sample(request(user("hi"))))
    second = keep_one(Sample(request(user("hi"), assistant("Hello."), user("more"))))
    reply = RequestLog.objects.select_related("response").get(id=first).response.reply
    assert bytes(reply) in [part.blob for part in parts_of(second).parts]


def test_the_command_tells_what_a_request_is_made_of() -> None:
    id = keep_one(Sample(request(user("hello", marked=True))))
    told = json.loads(run("parts", str(id), "--json"))
    assert [(part["kind"], part["place"]) for part in told["parts"]] == [("system block", 0), ("message", 0)]
    assert told["messages_leaf"] == told["parts"][-1]["node"]
    assert "cache_control" in run("parts", str(id))


def test_stats_add_up() -> None:
    ids = keep([Sample(request(user("hello"))), Sample(request(user("hello")))])
    told = json.loads(run("stats", "--json"))
    assert told["turns"] == len(ids)
    assert told["raw_bytes"] == sum(len(rebuild_request(id)) + len(rebuild_response(id)) for id in ids)
    assert told["stored_bytes"] == sum(told["tables"][name] for name in (*PARTITIONED_TABLES, *TREE_TABLES)) > 0
    assert told["ratio"] == round(told["raw_bytes"] / told["stored_bytes"], 1)
    assert "stored_bytes" in run("stats")
