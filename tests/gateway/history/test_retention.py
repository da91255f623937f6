"""What is due goes, what is held stays, what is still referred to stays whole, and nothing comes back."""

from __future__ import annotations

import datetime
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.db.models import Q

from gateway.history.months import drop_month, existing_months
from gateway.history.rollups import mark_range, roll_up_all
from gateway.history.store import NotInHistory, rebuild_request, rebuild_response
from gateway.history.sweeping import sweep
from gateway.history.tree_writer import StalePlans
from gateway.history.writer import HistoryWriter
from gateway.models import (
    ApiKey,
    Blob,
    LegalHold,
    ManifestPage,
    Node,
    RequestLog,
    RetentionTerm,
    RollupDay,
    RollupDue,
    RollupHour,
    RollupZone,
    Scope,
    Team,
)
from gateway.recording.rows import RowBuilder
from tests.exchanges import Sample, keep
from tests.gateway.history.test_history_command import run
from tests.gateway.history.test_tree import assistant, request, user

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.datetime.now(datetime.UTC)
OLD = datetime.datetime(2025, 3, 10, tzinfo=datetime.UTC)
MARCH, APRIL = datetime.date(2025, 3, 1), datetime.date(2025, 4, 1)


@pytest.fixture(autouse=True)
def no_old_months() -> Iterator[None]:
    """Partitions outlive the rows a test made; months of the past are this module's."""
    yield
    for month in existing_months():
        if month < datetime.date(2026, 1, 1):
            drop_month(month)


def sample(*said: Any, session: str = "s", at: datetime.datetime | None = None, **more: Any) -> Sample:
    headers = [("x-claude-code-session-id", session)]
    return Sample(request(*said), at=at or NOW, request_headers=headers, **more)


def talk(count: int, begin: str = "message") -> list[dict[str, Any]]:
    return [user(f"{begin} {number}") for number in range(count)]


def intact(ids: list[uuid.UUID]) -> bool:
    return all(rebuild_request(id) and rebuild_response(id) for id in ids)


def test_an_erased_session_is_gone_with_what_only_it_said() -> None:
    shared, own = talk(9), talk(12, "secret")
    gone = keep([sample(*shared, *own, session="gone"), sample(*shared, *own, user("more secret"), session="gone")])
    stays = keep([sample(*shared, user("other"), session="stays")])
    told = json.loads(run("erase", "--session", "gone", "--reason", "asked for", "--yes"))
    assert told["exchanges"] == 2
    assert told["ids_sha256"] == hashlib.sha256("".join(f"{id}\n" for id in sorted(gone)).encode()).hexdigest()
    assert (told["first_id"], told["last_id"]) == (str(min(gone)), str(max(gone)))
    assert told["blobs"] == 13
    for id in gone:
        with pytest.raises(NotInHistory):
            rebuild_request(id)
    assert intact(stays)
    assert Blob.objects.filter(kind=Blob.Kind.MESSAGE).count() == 10
    assert Node.objects.count() == 11
    assert ManifestPage.objects.count() == 2, "the first eight messages, and what is the same in every turn"
    assert json.loads(run("certificates"))[0]["reason"] == "asked for"


def test_what_was_erased_does_not_come_back_from_the_spool() -> None:
    exchange = sample(user("x"), session="gone").recorded()
    builder = RowBuilder()
    connection.ensure_connection()
    writer = HistoryWriter(connection.connection)
    rows = builder.build(exchange)
    writer.ensure_months([rows])
    with transaction.atomic():
        writer.write([rows])
    run("erase", "--session", "gone", "--yes")
    assert writer.known([rows.id]) == {rows.id}


def test_replays_of_what_is_erased_go_with_it() -> None:
    [first, again, other] = keep([sample(user("x"), session="gone"), sample(user("x")), sample(user("y"))])
    RequestLog.objects.filter(id=again).update(replay_of=first)
    told = json.loads(run("erase", "--session", "gone", "--yes"))
    assert told["exchanges"] == 2
    assert [row.id for row in RequestLog.objects.all()] == [other]


def test_a_user_is_erased_by_the_keys_they_own(django_user_model: Any) -> None:
    person = django_user_model.objects.create_user("ada")
    ApiKey.objects.create(name="ada-laptop", digest=b"1", owner=person)
    keep([sample(user("x"), access_key="ada-laptop"), sample(user("y"), access_key="bob")])
    run("erase", "--user", "ada", "--yes")
    assert [row.access_key for row in RequestLog.objects.all()] == ["bob"]


def test_a_held_session_is_not_erased_and_the_certificate_says_so() -> None:
    ids = keep([sample(user("x"), session="held"), sample(user("y"), session="held", access_key="other")])
    LegalHold.objects.create(name="Case 1", session_id="held", access_key="other")
    told = json.loads(run("erase", "--session", "held", "--yes"))
    assert (told["exchanges"], told["held"]) == (1, 1)
    assert intact(ids[1:])


def test_a_dry_run_says_what_would_go_and_changes_nothing() -> None:
    keep([sample(user("old"), at=OLD), sample(user("held"), at=OLD, session="held"), sample(user("new"))])
    RetentionTerm.objects.create(days=90)
    LegalHold.objects.create(name="Case 1", session_id="held")
    told = json.loads(run("retention", "--dry-run", "--json"))
    assert [(due["month"], due["exchanges"], due["held"]) for due in told["months"]] == [("2025-03", 2, 1)]
    assert told["bytes"] == told["months"][0]["bytes"] > 0
    assert "2025-03  2 exchanges, 1 of them held" in run("retention", "--dry-run")
    assert RequestLog.objects.count() == 3


def test_a_month_past_its_term_goes_whole_and_the_next_one_stays() -> None:
    said = talk(20)
    end = datetime.datetime(2025, 3, 31, 23, 59, 58, tzinfo=datetime.UTC)
    keep([sample(*said[: 10 + turn], at=end) for turn in range(3)])
    newer = keep([sample(*said, at=end + datetime.timedelta(seconds=10)), sample(*said, assistant("so"), at=NOW)])
    RetentionTerm.objects.create(days=(NOW.date() - datetime.date(2025, 4, 20)).days)
    run("retention", "--yes")
    assert MARCH not in existing_months()
    assert APRIL in existing_months()
    assert intact(newer)
    assert RequestLog.objects.count() == 2
    run("verify")
    assert "nothing is due" in run("retention", "--dry-run")


def test_what_is_held_outlives_its_month() -> None:
    ids = keep(
        [
            sample(*talk(20), at=OLD, session="held", team="red"),
            sample(*talk(20), user("not held"), at=OLD, team="red"),
            sample(*talk(3), at=OLD, team="blue"),
        ]
    )
    LegalHold.objects.create(name="Case 1", session_id="held")
    RetentionTerm.objects.create(days=90)
    run("retention", "--yes")
    assert [row.id for row in RequestLog.objects.all()] == ids[:1]
    assert intact(ids[:1])
    red = Scope.objects.get(team="red").pk
    assert set(Blob.objects.values_list("scope", flat=True)) == {red}
    assert Blob.objects.filter(kind=Blob.Kind.MESSAGE).count() == 20
    assert "nothing is due" in run("retention", "--dry-run")


def test_a_team_with_a_shorter_term_loses_what_is_older() -> None:
    team = Team.objects.create(name="red")
    RetentionTerm.objects.create(team=team, days=7)
    old = NOW - datetime.timedelta(days=9)
    keep([sample(user("a"), at=old, team="red"), sample(user("b"), at=old, team="blue"), sample(user("c"), team="red")])
    run("retention", "--yes")
    assert sorted(RequestLog.objects.values_list("team", flat=True)) == ["blue", "red"]


def test_sums_stay_of_a_month_of_which_only_held_turns_are_left() -> None:
    RollupZone.objects.get_or_create(name="America/New_York")
    april = datetime.datetime(2025, 4, 1, 1, 30, tzinfo=datetime.UTC)  # still March 31st in New York
    at = april - datetime.timedelta(hours=2)
    keep([sample(user("old"), at=at), sample(user("held"), at=at, session="held"), sample(user("new"), at=april)])
    roll_up_all()
    sums = [list(table.objects.order_by("pk").values()) for table in (RollupHour, RollupDay)]
    LegalHold.objects.create(name="Case 1", session_id="held")
    drop_month(MARCH, Q(session_id="held"))
    for hour in (at, april):
        RollupDue.objects.create(hour=hour.replace(minute=0))
    assert mark_range() == 1
    roll_up_all()
    assert [[row | {"id": 0} for row in table] for table in sums] == [
        [row | {"id": 0} for row in table.objects.order_by("pk").values()] for table in (RollupHour, RollupDay)
    ]


def test_what_is_marked_is_summed_up_before_its_month_goes() -> None:
    keep([sample(user("old"), at=OLD), sample(user("older"), at=OLD - datetime.timedelta(days=2))])
    drop_month(MARCH)
    roll_up_all()
    assert sum(RollupHour.objects.values_list("requests", flat=True)) == 2
    assert sum(RollupDay.objects.filter(zone="UTC").values_list("requests", flat=True)) == 2


def test_the_spool_does_not_bring_a_dropped_month_back() -> None:
    keep([sample(user("old"), at=OLD)])
    late = sample(user("late"), at=OLD).recorded()
    drop_month(MARCH)
    rows = RowBuilder().build(late)
    connection.ensure_connection()
    assert HistoryWriter(connection.connection).known([rows.id]) == {rows.id}


def test_a_sweep_does_not_take_what_a_loader_believes_to_be_stored() -> None:
    """The loader knows the text of a session that is erased, and is about to store another that repeats it."""
    builder = RowBuilder()
    connection.ensure_connection()
    writer = HistoryWriter(connection.connection)

    def store(exchange: Sample) -> uuid.UUID:
        rows = builder.build(exchange.recorded())
        writer.ensure_months([rows])
        with transaction.atomic():
            writer.write([rows])
        writer.settle([rows])
        return rows.id

    store(sample(*talk(10), session="gone"))
    planned = builder.build(sample(*talk(10), user("more")).recorded())
    run("erase", "--session", "gone", "--yes")
    with pytest.raises(StalePlans), transaction.atomic():
        writer.write([planned])
    again = store(sample(*talk(10), user("more")))
    assert rebuild_request(again)
    sweep(NOW.date().replace(day=1), 0)
    assert rebuild_request(again)


def test_a_sweep_removes_nothing_that_is_referred_to() -> None:
    ids = keep([sample(*talk(count), session=str(count % 3)) for count in range(1, 40, 3)])
    removed = sweep(NOW.date().replace(day=1), 0)
    assert removed == {"gateway_blob": 0, "gateway_manifestpage": 0, "gateway_node": 0}
    assert intact(ids)


def test_a_month_goes_while_others_read_and_write_and_nobody_waits(database_url: str) -> None:
    """A reader that idles in its transaction, and a loader that goes on: neither waits for the other."""
    keep([sample(*talk(5), at=OLD)])
    stop, waits, errors = threading.Event(), [], []

    def load() -> None:
        try:
            while not stop.is_set():
                began = time.monotonic()
                keep([sample(*talk(3))])
                waits.append(time.monotonic() - began)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    loader = threading.Thread(target=load)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM gateway_requestlog")
        loader.start()
        dropper = threading.Thread(target=lambda: (drop_month(MARCH), connections.close_all()))
        dropper.start()
        time.sleep(1.5)
        reader.rollback()
        dropper.join(60)
    stop.set()
    loader.join(60)
    assert not errors
    assert not dropper.is_alive()
    assert MARCH not in existing_months()
    assert max(waits) < 1.0


def test_a_drop_that_was_broken_off_is_finished() -> None:
    keep([sample(user("old"), at=OLD)])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gateway_blob DETACH PARTITION gateway_blob_2025_03 CONCURRENTLY")
        cursor.execute("ALTER TABLE gateway_blob_2025_03 RENAME TO gateway_blob_2025_03_gone")
    drop_month(MARCH)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE '%2025\\_03%' AND relkind = 'r'")
        assert cursor.fetchall() == []
