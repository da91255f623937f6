"""Turns that hold a text: candidates from the indexes, newest first, checked against the text itself, then counted.

Whatever a page shows (hits, counts, facets) is made of rows the viewer may see and of nothing else: the team is part of
every question to the index, so that another team's texts change no figure.
"""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

from django.db import connection

from gateway.history.id_times import first_id_at
from gateway.history.partitions import month_of, next_month
from gateway.history.present import REQUEST_KEYS, RESPONSE_KEYS, list_row
from gateway.history.search.index import blob_value
from gateway.history.search.query import Query, read_query
from gateway.history.search.secrecy import kept_labels, refuse_words, search_keys
from gateway.history.search.snippets import Snippet, snippet_of
from gateway.history.search.text import role_in, text_of, tools_and_paths, trigrams_of, words_of
from gateway.history.veil import curtain_of_scope
from gateway.history.visibility import Sight
from gateway.models import Blob

LOOKED_AT: Final = 300
"""Texts that one page looks at: counts and facets are of the newest so many."""
FACET_VALUES: Final = 12
PLACES_OF_A_TURN: Final = 3
KIND_NAMES: Final = {1: "tools", 2: "system", 3: "messages", 4: "answers"}

MONTHS: Final = """
SELECT to_char(to_date(right(c.relname, 7), 'YYYY_MM'), 'YYYY-MM-DD')::date FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'gateway_searchtext'::regclass ORDER BY 1 DESC
"""
NEWEST_TEXTS: Final = 3_000
FREQUENT: Final = NEWEST_TEXTS * 3 // 100
FEW_TEXTS: Final = 20_000
PICKED: Final = """
SELECT (SELECT count(*) FROM found), picked.* FROM (SELECT) one LEFT JOIN LATERAL (
    SELECT s.* FROM found s{joins} WHERE {row} ORDER BY s.exchange_id DESC LIMIT %s
) picked ON TRUE
"""
NEWEST: Final = f"""
WITH newest AS (SELECT s.* FROM gateway_searchtext s WHERE {{place}} ORDER BY s.exchange_id DESC LIMIT {NEWEST_TEXTS}),
found AS MATERIALIZED (SELECT s.exchange_id, s.month, s.scope, s.digest, s.kind FROM newest s WHERE {{text}})
{PICKED}
"""  # noqa: S608
FEW: Final = f"""
WITH found AS MATERIALIZED (
    SELECT s.exchange_id, s.month, s.scope, s.digest, s.kind FROM gateway_searchtext s WHERE {{place}} AND {{text}}
    LIMIT {FEW_TEXTS}
)
{PICKED}
"""  # noqa: S608
MANY: Final = """
SELECT s.exchange_id, s.month, s.scope, s.digest, s.kind FROM gateway_searchtext s{joins}
WHERE {place} AND {text} AND {row} ORDER BY s.exchange_id DESC LIMIT %s
"""
SCOPES: Final = "SELECT id FROM gateway_scope WHERE team = ANY(%s)"
BLOBS: Final = "SELECT digest, size, data FROM gateway_blob WHERE month = %s AND scope = %s AND digest = ANY(%s)"


class Candidate(NamedTuple):
    exchange_id: uuid.UUID
    month: datetime.date
    scope: int
    digest: bytes
    kind: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a turn: tools, system, messages or answers, by whom, and the text around it."""

    section: str
    role: str
    snippet: Snippet


@dataclass(slots=True)
class Hit:
    """A turn, with the row a list shows of it, and the places where the text first came with it."""

    row: dict[str, Any]
    places: list[Place]


@dataclass(slots=True)
class Results:
    """`count` is of turns; `counted_all` is False when there are more than one page looks at. `facets` have the most
    frequent values of each name. `older` is where the next page begins; None: this is the last."""

    hits: list[Hit] = field(default_factory=list)
    count: int = 0
    counted_all: bool = True
    facets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    older: uuid.UUID | None = None


@dataclass(slots=True)
class Checked:
    """A candidate that does hold the text."""

    candidate: Candidate
    value: Any
    text: str


def search(
    text: str,
    sight: Sight,
    limit: int = 20,
    before: uuid.UUID | None = None,
    *,
    facets: bool = True,
    places: bool = True,
) -> Results:
    """Turns that match, newest first, older than `before`; without what takes time and is not wanted."""
    query = read_query(text)
    refuse_words(query)
    if query.problems:
        return Results(problems=query.problems)
    scopes = visible_scopes(sight)
    if scopes == []:
        return Results()
    found, further = checked_candidates(query, scopes, before)
    rows = visible_rows([each.candidate.exchange_id for each in found], sight)
    turns = [
        (rows[id], list(group))
        for id, group in groupby(found, key=lambda each: each.candidate.exchange_id)
        if id in rows
    ]
    page = turns[:limit]
    return Results(
        hits=[Hit(row["shown"], places_in(group, query) if places else []) for row, group in page],
        count=len(turns),
        counted_all=further is None,
        facets=facets_of(turns) if facets else {},
        older=uuid.UUID(page[-1][0]["shown"]["id"]) if len(turns) > limit else further,
    )


def visible_scopes(sight: Sight) -> list[int] | None:
    """None: all of them."""
    if sight.teams is None:
        return None
    return [row[0] for row in fetch(SCOPES, [sorted(sight.teams)])]


def checked_candidates(
    query: Query, scopes: list[int] | None, before: uuid.UUID | None
) -> tuple[list[Checked], uuid.UUID | None]:
    """Those of the newest LOOKED_AT that hold the text, and the exchange to go on from when there may be more. An
    exchange of which not all was looked at is left to the next page."""
    looked: list[Candidate] = []
    for month in months_of(query, before):
        looked += candidates_of(month, query, scopes, before, LOOKED_AT + 1 - len(looked))
        if len(looked) > LOOKED_AT:
            break
    if len(looked) <= LOOKED_AT:
        return said_once(check(looked, query)), None
    cut = looked[LOOKED_AT].exchange_id
    whole = [each for each in looked if each.exchange_id != cut] or looked[:LOOKED_AT]
    return said_once(check(whole, query)), whole[-1].exchange_id


def said_once(found: Sequence[Checked]) -> list[Checked]:
    """Without messages that only send an answer back, in other bytes than it was stored with."""
    answers = {each.text for each in found if each.candidate.kind == Blob.Kind.REPLY}
    return [
        each
        for each in found
        if each.candidate.kind != Blob.Kind.MESSAGE or each.text not in answers or role_in(each.value) != "assistant"
    ]


def months_of(query: Query, before: uuid.UUID | None) -> Iterator[datetime.date]:
    """Newest first."""
    newest = newest_month(before)
    for (month,) in fetch(MONTHS, []):
        too_new = (query.until and month > query.until.date()) or (newest and month > newest)
        too_old = query.since and next_month(month) <= query.since.date()
        if not too_new and not too_old:
            yield month


def newest_month(before: uuid.UUID | None) -> datetime.date | None:
    """None: any. An id whose time no calendar has is newer than everything."""
    try:
        return None if before is None else month_of(before.bytes)
    except OverflowError:
        return None


def candidates_of(
    month: datetime.date, query: Query, scopes: list[int] | None, before: uuid.UUID | None, limit: int
) -> list[Candidate]:
    """The newest that match. What is said all the time stands in the newest texts often enough. Where few texts match,
    all are found by the text and then sorted; where many do, the newest are gone through until enough match. PostgreSQL
    knows too little of rare words to choose by itself."""
    place = together([("s.month = %s", month), *place_conditions(query, scopes, before)])
    text, row = together(text_conditions(query)), together(row_conditions(query, month))
    joins = " JOIN gateway_requestlog r ON r.id = s.exchange_id" if query.row else ""
    joins += " JOIN gateway_responselog a ON a.id = s.exchange_id" if query.response else ""
    values = [*place[1], *text[1], *row[1], limit]

    def ask(statement: str) -> list[Any]:
        return fetch(statement.format(place=place[0], text=text[0], joins=joins, row=row[0]), values)

    rows = ask(NEWEST)
    frequent, found = rows[0][0] >= FREQUENT, picked(rows)
    if len(found) < limit and not frequent:
        rows = ask(FEW)
        frequent, found = rows[0][0] >= FEW_TEXTS, picked(rows)
    if len(found) < limit and frequent:
        found = ask(MANY)
    return [Candidate(id, month, scope, bytes(digest), kind) for id, month, scope, digest, kind in found]


def picked(rows: Sequence[Any]) -> list[Any]:
    """Of PICKED, without the count."""
    return [row[1:] for row in rows if row[1] is not None]


Conditions = list[tuple[str, Any]]
"""SQL, whose names are all written here, and its value."""


def together(conditions: Conditions) -> tuple[str, list[Any]]:
    values = [value if isinstance(value, tuple) else (value,) for _, value in conditions]
    return " AND ".join(["TRUE", *(where for where, _ in conditions)]), [one for each in values for one in each]


def place_conditions(query: Query, scopes: list[int] | None, before: uuid.UUID | None) -> Conditions:
    asked: Conditions = [
        # By one number, not a list, the index of a scope's newest texts is read in its order.
        ("s.scope = %s", scopes[0]) if scopes and len(scopes) == 1 else ("s.scope = ANY(%s)", scopes),
        ("s.kind = ANY(%s)", query.kinds or None),
        ("s.exchange_id >= %s", query.since and id_at(query.since)),
        ("s.exchange_id < %s", query.until and id_at(query.until)),
        ("s.exchange_id < %s", before),
    ]
    return [(where, value) for where, value in asked if value is not None]


def row_conditions(query: Query, month: datetime.date) -> Conditions:
    """On the rows of that month, so that no other's are read."""
    ids = (first_id_of(month), first_id_of(next_month(month)))
    rows: Conditions = [
        (f"r.{name} = %s", int(value) if name == "status_code" else value) for name, value in query.row.items()
    ]
    answers: Conditions = [(f"a.{name} = %s", value) for name, value in query.response.items()]
    rows += [("(r.id >= %s AND r.id < %s)", ids)] if rows else []
    answers += [("(a.id >= %s AND a.id < %s)", ids)] if answers else []
    return rows + answers


def text_conditions(query: Query) -> Conditions:
    """What the text must hold, by each of the keys it may be found by."""
    wheres, values = [], []
    for key in search_keys():
        words = word_query(query, key)
        asked: list[tuple[str, Any]] = [] if words is None else [("s.words @@ %s::tsquery", words)]
        asked += [("s.trigrams @> %s::int2[]", trigrams_of(piece, key)) for piece in query.pieces]
        wheres.append(" AND ".join(where for where, _ in asked))
        values += [value for _, value in asked]
    return [(f"(({') OR ('.join(wheres)}))", tuple(values))]


def word_query(query: Query, key: bytes) -> str | None:
    """As PostgreSQL's tsquery; None when no word or label is asked for."""
    labels = kept_labels([*query.labels, *(["failed"] if query.failed else [])], key)
    terms = [lexeme(word) for word in (*query.words, *labels)]
    terms += [f"{lexeme(prefix)}:*" for prefix in query.prefixes]
    terms += [f"!{lexeme(word)}" for word in query.excluded]
    return " & ".join(terms) or None


def lexeme(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def first_id_of(month: datetime.date) -> uuid.UUID:
    return first_id_at(datetime.datetime.combine(month, datetime.time(), datetime.UTC))


def id_at(moment: datetime.datetime) -> uuid.UUID:
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def check(candidates: Sequence[Candidate], query: Query) -> list[Checked]:
    """Those whose text holds every piece; one that is gone since holds nothing."""
    texts: dict[tuple[datetime.date, int, bytes], Any] = {}
    by_place = sorted(candidates, key=lambda each: (each.month, each.scope))
    for (month, scope), group in groupby(by_place, key=lambda each: (each.month, each.scope)):
        for digest, size, data in fetch(BLOBS, [month, scope, [each.digest for each in group]]):
            texts[month, scope, bytes(digest)] = seen_value(blob_value(bytes(data), size), scope, query)
    found = []
    for candidate in candidates:
        value = texts.get(candidate[1:4])
        text = text_of(value)
        lowered = text.lower()
        if value is not None and all(piece.lower() in lowered for piece in query.pieces):
            found.append(Checked(candidate, value, text))
    return found


def seen_value(value: Any, scope: int, query: Query) -> Any:
    """What the viewer may see of it. Of a text with something hidden, what is looked for must stand in the rest: else a
    search would tell what was hidden."""
    curtain = curtain_of_scope(scope)
    if curtain is None:
        return value
    seen = curtain.value(value)
    if seen == value:
        return value
    words = words_of(text_of(seen))
    begin = all(any(word.startswith(prefix) for word in words) for prefix in query.prefixes)
    return seen if begin and words.issuperset(query.words) else None


def visible_rows(ids: Sequence[uuid.UUID], sight: Sight) -> dict[uuid.UUID, dict[str, Any]]:
    """The rows of these exchanges that are there and may be seen."""
    columns = ["id", "started_at", "client_version", "access_key", *REQUEST_KEYS, "response__error_type"]
    columns += [f"response__{key}" for key in RESPONSE_KEYS]
    rows = sight.requests().filter(id__in=set(ids)).values(*columns)
    return {row["id"]: {"shown": list_row(row), **row} for row in rows}


Turns = Sequence[tuple[Mapping[str, Any], Sequence[Checked]]]


def facets_of(turns: Turns) -> dict[str, list[tuple[str, int]]]:
    """Each turn counts once for a value."""
    counters: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for row, group in turns:
        tools, paths = set(), set()
        for each in group:
            named, files = tools_and_paths(each.value)
            tools |= set(named)
            paths |= set(files)
        for name, column in COLUMNS.items():
            if row[column] not in (None, ""):
                counters[name][str(row[column])] += 1
        counters["date"][f"{row['started_at']:%Y-%m-%d}"] += 1
        counters["tool"].update(tools)
        counters["path"].update(paths)
    return {name: counter.most_common(FACET_VALUES) for name, counter in counters.items()}


COLUMNS: Final = {
    "model": "model",
    "error": "response__error_type",
    "stop": "response__stop_reason",
    "version": "client_version",
    "key": "access_key",
}
FACETS: Final = ("model", "tool", "path", "error", "stop", "version", "date", "key")


def places_in(group: Sequence[Checked], query: Query) -> list[Place]:
    """Where the text stands, messages before tools and system."""
    ordered = sorted(group, key=lambda each: each.candidate.kind, reverse=True)[:PLACES_OF_A_TURN]
    return [
        Place(KIND_NAMES.get(each.candidate.kind, ""), role_in(each.value), snippet_of(each.text, query))
        for each in ordered
    ]


def fetch(statement: str, values: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[Any] = cursor.fetchall()
    return rows
