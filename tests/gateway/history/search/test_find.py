"""Turns are found by what was said in them, and only by those who may see them."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from gateway.history.search import find, index
from gateway.history.search.find import Results, search
from gateway.history.search.index import SearchIndex, index_batch, waiting
from gateway.history.visibility import EVERYTHING, Sight, visible_to
from gateway.models import Blob, Member, RequestLog, SearchQueue, SearchText, Team
from gateway.tasks.search import index_new_text
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.history.conversation.building import START, TOOLS, assistant, user
from tests.gateway.history.recorded import keep_session

pytestmark = pytest.mark.django_db


def said(*texts: str, **more: Any) -> dict[str, Any]:
    messages = [assistant(text) if number % 2 else user(text) for number, text in enumerate(texts)]
    return {"model": "claude-opus-5-5", "messages": messages, "tools": TOOLS, "stream": True, **more}


def keep_said(*samples: Sample) -> list[uuid.UUID]:
    ids = keep(samples)
    index_new_text()
    return ids


def found(text: str, sight: Sight = EVERYTHING, **options: Any) -> list[uuid.UUID]:
    results = search(text, sight, **options)
    assert results.problems == []
    return [uuid.UUID(hit.row["id"]) for hit in results.hits]


def test_a_text_is_found_at_the_turn_it_came_with_however_often_it_is_sent_again() -> None:
    texts = ["why does the ferret sleep", "ferrets are crepuscular", "and the badger", "also", "thanks"]
    ids = keep_said(
        *(Sample(said(*texts[: 2 * n + 1]), message_stream("No."), at=START + timedelta(minutes=n)) for n in range(3))
    )
    assert found("ferret sleep") == [ids[0]]
    assert found("badger") == [ids[1]]
    assert found("crepuscular") == [ids[1]]
    assert found("fer* -sleep") == [ids[1]]
    assert found('"FERRETS are crep"') == [ids[1]]
    assert found('"errets are crepuscula"') == [ids[1]]
    assert found('"ferrets  are"') == []
    assert found("weasel") == []


def test_an_answer_is_found_at_the_turn_that_gave_it() -> None:
    ids = keep_said(
        Sample(said("q"), message_stream("It is crepuscular."), at=START),
        Sample(said("q", "It is crepuscular.", "why"), message_stream("Because."), at=START + timedelta(minutes=1)),
    )
    results = search("crepuscular in:answers", EVERYTHING)
    assert [hit.row["id"] for hit in results.hits] == [str(ids[0])]
    (place,) = results.hits[0].places
    assert (place.section, place.role) == ("answers", "assistant")
    assert [place.snippet.text[start:end] for start, end in place.snippet.spans] == ["crepuscular"]


def test_an_answer_sent_back_in_other_bytes_is_found_once() -> None:
    back = {"content": [{"text": "It is crepuscular.", "type": "text"}], "role": "assistant"}
    ids = keep_said(
        Sample(said("q"), message_stream("It is crepuscular."), at=START),
        Sample(said("q") | {"messages": [user("q"), back, user("why")]}, [], at=START + timedelta(minutes=1)),
    )
    assert SearchText.objects.filter(kind__in=(3, 4)).count() == 4
    assert found("crepuscular") == [ids[0]]


def test_fields_narrow_and_facets_count_turns() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/src/ferret.py"}}
    failed = {"type": "tool_result", "tool_use_id": "t1", "content": "no ferret", "is_error": True}
    read = said("look", "x", "y") | {
        "messages": [user("look"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [failed]}]
    }
    headers = [("user-agent", "claude-cli/2.1.329 (external, cli)")]
    ids = keep_said(
        Sample(said("a ferret"), message_stream("Yes."), at=START, access_key="ada", request_headers=headers),
        Sample(read, message_stream("Well.", model="claude-sonnet-5"), at=START + timedelta(days=1), access_key="bob"),
        Sample(said("ferret two"), [], at=START + timedelta(days=2), status=529, access_key="bob"),
    )
    assert found("ferret key:bob") == [ids[2], ids[1]]
    assert found("ferret model:claude-sonnet-5") == [ids[1]]
    assert found("ferret version:2.1.329") == [ids[0]]
    assert found("ferret status:529") == [ids[2]]
    assert found("tool:read") == found("path:ferret.py") == found("path:/src/ferret.py") == [ids[1]]
    assert found("is:failed") == [ids[1]]
    assert found("ferret since:2026-11-22 until:2026-11-23") == [ids[1]]
    facets = search("ferret", EVERYTHING).facets
    assert facets["key"] == [("bob", 2), ("ada", 1)]
    assert facets["tool"] == [("Read", 1)]
    assert facets["path"] == [("/src/ferret.py", 1)]
    assert facets["version"] == [("2.1.329", 1)]
    assert dict(facets["model"]) == {"claude-opus-5-5": 1, "claude-sonnet-5": 1}
    assert [date for date, _ in facets["date"]] == ["2026-11-23", "2026-11-22", "2026-11-21"]


def shown(results: Results) -> Any:
    """All a viewer gets to see."""
    return [hit.row["id"] for hit in results.hits], results.count, results.counted_all, results.facets, results.older


def test_hits_counts_and_facets_do_not_tell_of_another_teams_texts() -> None:
    red = [Sample(said("the ferret file"), at=START, team="red", access_key="ada")]
    keep_said(*red)
    person = User.objects.create_user("ada")
    Member.objects.create(user=person, team=Team.objects.create(name="red"), role="member")
    alone = shown(search("ferret", visible_to(person)))
    blue = [
        Sample(
            said("the ferret file", str(n), "ferret"), at=START + timedelta(seconds=n), team="blue", access_key="eve"
        )
        for n in range(4)
    ]
    keep_said(*blue, Sample(said("a ferret of nobody"), at=START))
    assert shown(search("ferret", visible_to(person))) == alone
    assert alone[1] == 1
    assert len(found("ferret")) == 3
    assert found("ferret", Sight(frozenset({"blue"}))) != []
    assert shown(search("ferret", Sight(frozenset()))) == shown(search("ferret", Sight(frozenset({"green"}))))
    assert search("ferret team:blue", visible_to(person)).hits == []


def test_pages_follow_one_another_and_counts_say_when_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    months = [datetime(2026, 9, 30, 12, tzinfo=UTC), datetime(2026, 11, 1, 12, tzinfo=UTC)]
    ids = keep_said(*(Sample(said(f"ferret {n}"), [], at=months[n // 3] + timedelta(minutes=n)) for n in range(6)))
    first = search("ferret", EVERYTHING, 4)
    assert [hit.row["id"] for hit in first.hits] == [str(id) for id in ids[:1:-1]]
    assert (first.count, first.counted_all, first.older) == (6, True, ids[2])
    assert found("ferret", before=first.older) == ids[1::-1]
    assert search("ferret", EVERYTHING, 4, first.older).older is None
    monkeypatch.setattr(find, "LOOKED_AT", 2)
    few = search("ferret", EVERYTHING, 2)
    assert (few.count, few.counted_all, few.older) == (2, False, ids[4])


@pytest.mark.parametrize(("frequent", "newest"), [(1, 1), (1_000, 1), (1, 3_000)])
def test_what_is_said_often_and_seldom_is_found_alike(
    monkeypatch: pytest.MonkeyPatch, frequent: int, newest: int
) -> None:
    """By the newest texts, by the index, and by going through all texts."""
    monkeypatch.setattr(find, "FREQUENT", frequent)
    monkeypatch.setattr(find, "NEWEST", find.NEWEST.replace(f"LIMIT {find.NEWEST_TEXTS}", f"LIMIT {newest}"))
    months = [datetime(2026, 10, 31, 12, tzinfo=UTC), datetime(2026, 11, 1, 12, tzinfo=UTC)]
    ids = keep_said(
        *(
            Sample(
                said(f"a ferret {n}", model=f"m-{n % 2}"),
                message_stream("No.", model=f"m-{n % 2}", stop=("end_turn", "refusal")[n % 2]),
                at=months[n // 3] + timedelta(minutes=n),
            )
            for n in range(6)
        )
    )
    assert found("ferret") == ids[::-1]
    assert found("ferret model:m-1") == found("ferret stop:refusal") == ids[::-2]
    assert found("ferret model:m-1 stop:end_turn") == found("weasel model:m-1") == []


def test_what_is_stored_is_noted_by_the_loader_and_found_once_indexed() -> None:
    keep([Sample(said("a ferret"), message_stream("Yes."), at=START)])
    assert waiting() == Blob.objects.exclude(kind=0).count() == 4
    assert found("ferret") == []
    assert index_batch(3) == 3
    assert index_batch() == 1
    assert index_batch() == 0
    assert len(found("ferret")) == 1


def test_the_same_text_stored_twice_is_indexed_once() -> None:
    keep_said(Sample(said("a ferret"), [], at=START))
    row = SearchText.objects.filter(kind=3).values("month", "scope", "digest", "kind", "exchange_id")[0]
    SearchQueue.objects.bulk_create(SearchQueue(**row) for _ in range(2))
    index_new_text()
    assert len(found("ferret")) == 1
    assert waiting() == 0


def test_what_the_store_removes_is_not_found_any_more() -> None:
    keep_said(Sample(said("a ferret"), [], at=START))
    keep([Sample(said("a badger"), [], at=START)])
    raw: psycopg.Connection[Any] = connection.connection
    digests = [bytes(digest) for digest in Blob.objects.filter(kind=3).values_list("digest", flat=True)]
    SearchIndex().removed(raw, START.date().replace(day=1), 0, digests)
    index_new_text()
    assert found("ferret") == found("badger") == []


def test_a_turn_whose_row_is_gone_is_not_shown() -> None:
    (only,) = keep_said(Sample(said("a ferret"), [], at=START))
    RequestLog.objects.filter(id=only).delete()
    assert shown(search("ferret", EVERYTHING))[:2] == ([], 0)


def test_everything_that_cannot_be_found_is_made_so_again() -> None:
    ids = keep_session("claude_three_turns")
    index_new_text()
    everything = sorted((bytes(row.digest), row.exchange_id) for row in SearchText.objects.all())
    SearchText.objects.all().delete()
    assert found('"second turn"') == []
    output = io.StringIO()
    call_command("history", "index", "--all", stderr=output)
    assert f"{len(everything)} texts made searchable" in output.getvalue()
    assert sorted((bytes(row.digest), row.exchange_id) for row in SearchText.objects.all()) == everything
    assert found('"second turn"') == [ids[1]]
    call_command("history", "index", "--all", stderr=output)
    assert output.getvalue().endswith("0 texts made searchable\n")


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("history", "search", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def test_the_command_shows_turns_places_and_facets() -> None:
    ids = keep_session("claude_bash_tool")
    index_new_text()
    text = run("tool:Bash")
    assert str(ids[0]) in text
    assert "tool: Bash (2)" in text
    (turn,) = json.loads(run("--json", "tool:Bash in:answers"))["turns"]
    assert turn["id"] == str(ids[0])
    with pytest.raises(CommandError, match="nothing to look for"):
        run("model:x")


def test_hostile_text_is_found_and_steers_nothing() -> None:
    keep_said(Sample(said("ferret\x1b[31m'; DROP TABLE gateway_blob; --\\ \" % &|!"), [], at=START))
    assert "\x1b" not in run("ferret")
    for typed in ("ferret'", "ferret\\", "'ferret' | x:*", '"\'; DROP TABLE"', "tool:'x'", "path:a'b\\c", "ferret%s"):
        assert len(search(typed, EVERYTHING).hits) <= 1
    assert len(found('"\'; DROP TABLE gateway_blob; --"')) == 1


def test_a_text_the_database_refuses_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    keep([Sample(said("a ferret"), [], at=START), Sample(said("a badger"), [], at=START)])
    real = index.words_of
    monkeypatch.setattr(index, "words_of", lambda text: {""} if "badger" in text else real(text))
    index_new_text()
    assert waiting() == 0
    assert len(found("ferret")) == 1
    assert found("badger") == []


def test_what_an_erased_exchange_brought_first_is_found_at_another_once_looked_for() -> None:
    first, second = keep_said(
        Sample(said("a ferret"), [], at=START), Sample(said("a ferret", "x", "y"), [], at=START + timedelta(minutes=1))
    )
    RequestLog.objects.filter(id=first).delete()
    call_command("history", "index", "--all", stderr=io.StringIO())
    assert found("ferret") == [second]


def test_a_page_without_a_hit_leads_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = keep_said(*(Sample(said(f"ferret {n}"), [], at=START + timedelta(minutes=n)) for n in range(4)))
    monkeypatch.setattr(find, "LOOKED_AT", 2)
    monkeypatch.setattr(find, "trigrams_of", lambda *given: [])
    nothing = search('"ferret 0" in:messages', EVERYTHING)
    assert (nothing.hits, nothing.counted_all, nothing.older) == ([], False, ids[2])
    assert found('"ferret 0" in:messages', before=nothing.older) == [ids[0]]


def test_an_exchange_is_not_cut_in_two_by_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = keep_said(
        Sample(said("ferret a", "ferret b", "ferret c"), [], at=START),
        Sample(said("ferret d"), [], at=START + timedelta(minutes=1)),
    )
    monkeypatch.setattr(find, "LOOKED_AT", 2)
    first = search("ferret", EVERYTHING)
    assert ([hit.row["id"] for hit in first.hits], first.older) == ([str(new)], new)
    assert found("ferret", before=new) == [old]
