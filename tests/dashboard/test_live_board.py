"""The board of what is under way: what notices make of it, whatever is lost on the way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.live.board import ENDED_SECONDS, LOST, MOST_ENDED, SILENT_SECONDS, Board
from gateway.metrics.live_channel import NOTICE_BYTES, notices

RED = frozenset({"red"})


def start(name: str, team: str = "red", **more: Any) -> dict[str, Any]:
    return {"k": "s", "id": name, "team": team, "at": 1.0, "bytes": 0, **more}


def end(name: str, **more: Any) -> dict[str, Any]:
    return {"k": "e", "id": name, "outcome": "completed", "status": 200, "ms": 5, **more}


def notice(number: int, *events: dict[str, Any], process: str = "web", everything: bool = False) -> dict[str, Any]:
    return {"p": process, "n": number, "f": everything, "l": everything, "e": list(events)}


def test_a_request_begins_moves_and_ends_as_one_record() -> None:
    board = Board()
    board.take(notice(0, start("a", model="m")), 10.0)
    board.take(notice(1, {"k": "u", "id": "a", "bytes": 400, "tokens": 100, "doing": "tool:Bash"}), 11.0)
    (moved,) = board.under_way(None)
    assert (moved["model"], moved["doing"], moved["rate"], moved["moved"]) == ("m", "tool:Bash", 100.0, 11.0)
    board.take(notice(2, end("a")), 12.0)
    assert board.under_way(None) == []
    (over,) = board.since("", 0, None).records
    assert (over["model"], over["outcome"], over["ended"]) == ("m", "completed", 12.0)
    assert not board.wants_all


def test_a_missing_notice_is_noticed_and_what_is_not_named_then_is_lost() -> None:
    board = Board()
    board.take(notice(0, start("a"), start("b")), 1.0)
    board.take(notice(2), 2.0)
    assert board.wants_all
    board.take(notice(3, start("b"), everything=True), 3.0)
    assert [one["id"] for one in board.under_way(None)] == ["b"]
    assert board.records["a"]["outcome"] == LOST


def test_everything_may_come_in_several_notices() -> None:
    board = Board()
    board.take(notice(0, start("a"), start("b"), start("c")), 1.0)
    first, last = notice(1, start("a"), everything=True), notice(2, start("c"), everything=True)
    first["l"] = last["f"] = False
    board.take(first, 2.0)
    assert len(board.under_way(None)) == 3
    board.take(last, 2.0)
    assert [one["id"] for one in board.under_way(None)] == ["a", "c"]


def test_what_a_silent_process_had_under_way_is_lost() -> None:
    board = Board()
    board.take(notice(0, start("a"), process="dead"), 1.0)
    board.take(notice(0, start("b"), process="alive"), 1.0)
    board.take(notice(1, process="alive"), 1.0 + SILENT_SECONDS)
    changed = board.tidy(2.0 + SILENT_SECONDS)
    assert [event.record["id"] for event in changed] == ["a"]
    assert [one["id"] for one in board.under_way(None)] == ["b"]
    assert set(board.tellers) == {"alive"}


def test_what_ended_long_ago_goes_and_so_does_what_is_too_much() -> None:
    board = Board()
    board.take(notice(0, *[end(f"old-{number}") for number in range(3)]), 1.0)
    board.take(notice(1, *[end(f"new-{number}") for number in range(MOST_ENDED + 5)]), ENDED_SECONDS)
    board.tidy(ENDED_SECONDS + 2)
    names = list(board.records)
    assert names == [f"new-{number}" for number in range(5, MOST_ENDED + 5)]


def test_another_teams_requests_are_not_told() -> None:
    board = Board()
    board.take(notice(0, start("a"), start("b", team="blue"), start("c", team="")), 1.0)
    for boot, number in (("", 0), (board.boot, 0)):
        assert [one["id"] for one in board.since(boot, number, RED).records] == ["a"]
        assert len(board.since(boot, number, None).records) == 3
        assert board.since(boot, number, frozenset()).records == []
    assert [one["id"] for one in board.under_way(RED)] == ["a"]


@given(st.lists(st.tuples(st.sampled_from("sue"), st.integers(0, 5)), max_size=40), st.integers(0, 60))
def test_catching_up_gives_what_listening_gives(told: list[tuple[str, int]], left_at: int) -> None:
    board = Board()
    seen: dict[str, Any] = {}
    for number, (kind, which) in enumerate(told):
        events = board.take(notice(number, {"k": kind, "id": str(which), "bytes": number}), float(number))
        if number < left_at:
            seen |= {event.record["id"]: event.record for event in events}
    number = max((record["seq"] for record in seen.values()), default=0)
    since = board.since(board.boot, number, None)
    assert not since.whole
    assert seen | {one["id"]: one for one in since.records} == dict(board.records)


@given(st.lists(st.text(max_size=3000), max_size=30), st.integers(0, 9), st.booleans())
def test_notices_fit_are_numbered_and_lose_nothing(texts: list[str], number: int, everything: bool) -> None:
    events = [{"k": "s", "id": str(at), "model": text} for at, text in enumerate(texts)]
    told = notices("p", number, events, everything=everything)
    assert all(len(text.encode()) < NOTICE_BYTES for text in told)
    read = [json.loads(text) for text in told]
    assert [one["n"] for one in read] == list(range(number, number + len(read)))
    assert [one["f"] for one in read] == [everything] + [False] * (len(read) - 1)
    assert [one["l"] for one in read] == [False] * (len(read) - 1) + [everything]
    room = {event["id"] for event in events if len(json.dumps(event, separators=(",", ":"))) < NOTICE_BYTES - 200}
    assert room <= {event["id"] for one in read for event in one["e"]}
