"""What people type above the list of requests: `model:opus status:>=400 ttft:>5s -outcome:completed "exact text" word`.

A field narrows by a column, a minus in front turns it round, and what has no field is looked for in the texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final

from django.db.models import Q

from gateway.dialects.names import Outcome

LONGEST: Final = 1_000
TOKEN: Final = re.compile(r'(-?)(?:([a-z_]+):)?(?:"([^"]*)"?|(\S+))')
COMPARED: Final = re.compile(r"(>=|<=|>|<)?([0-9.]+)([a-z]*)")
LOOKUPS: Final = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", None: "exact"}
LIKE: Final = {
    "model": ("model", "requested_model", "routed_model"),
    "path": ("path",),
    "error": ("response__error_type",),
}
"""Fields that hold a part of a value, whatever its case."""
EXACT: Final = {
    "team": "team",
    "key": "access_key",
    "user": "access_key",
    "client": "client",
    "version": "client_version",
    "provider": "provider",
    "dialect": "dialect",
    "session": "session_id",
    "agent": "agent_id",
    "prompt": "prompt_id",
    "trace": "trace_id",
    "stop": "response__stop_reason",
}
TIMES: Final = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "": 1}
SIZES: Final = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "k": 1_000, "m": 1_000_000}
PLAIN: Final = {"": 1, "k": 1_000, "m": 1_000_000}
MEASURED: Final = {
    "status": ("status_code", {"": 1}),
    "ttft": ("response__first_byte_ms", TIMES),
    "duration": ("response__duration_ms", TIMES),
    "cost": ("response__cost_usd", {"": 1}),
    "in": ("response__input_tokens", PLAIN),
    "out": ("response__output_tokens", PLAIN),
    "cache": ("response__cache_read_tokens", PLAIN),
    "size": ("request_bytes", SIZES),
    "messages": ("message_count", PLAIN),
    "tools": ("tool_count", PLAIN),
}
"""Fields that are compared: their column, and what each unit is worth in it."""
INDEXED: Final = frozenset({"team", "key", "user", "client", "session", "prompt", "status", "outcome"})
"""Fields whose rows an index finds, so that asking for few of them is as quick as asking for many."""
NOT_COMPLETED: Final = [outcome for outcome in Outcome if outcome is not Outcome.COMPLETED]
STATES: Final = {
    # Named one by one: an index finds what is there, not what is not.
    "failed": Q(outcome__in=NOT_COMPLETED) | Q(status_code__gte=400),
    "streaming": Q(is_streaming=True),
    "subagent": Q(agent_id__isnull=False),
    "partial": ~Q(capture="full"),
}
SAID: Final[dict[str, dict[str, str] | None]] = {"tool": None, "has": {"tool_error": "is:failed"}}
"""Fields that the search of texts answers: as they are, or by its own words for each value there is."""
FIELDS: Final = (*LIKE, *EXACT, *MEASURED, *SAID, "outcome", "is")


@dataclass(slots=True)
class RequestQuery:
    """`quick` and `slow` narrow rows, by an index and by looking at each; `text` is for the search of texts. `problems`
    say what cannot be understood and how it can be said: such a query finds nothing."""

    quick: Q = field(default_factory=Q)
    slow: Q = field(default_factory=Q)
    text: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def condition(self) -> Q:
        return self.quick & self.slow

    def add(self, name: str, value: str, *, negated: bool) -> None:
        """Raises ValueError with what to write instead."""
        found = condition_of(name, value)
        if not negated and (name in INDEXED or (name, value) == ("is", "failed")):
            self.quick &= found
        else:
            self.slow &= ~found if negated else found


def read_request_query(text: str) -> RequestQuery:
    """Never raises."""
    query = RequestQuery()
    words = []
    of_texts = set()
    for negated, name, quoted, plain in tokens(text[:LONGEST].replace("\0", "")):
        value = plain if quoted is None else quoted
        if not name and plain[:-1] in FIELDS and plain.endswith(":"):
            name, value = plain[:-1], ""
        if name in SAID:
            try:
                words.append(said(name, value, negated=bool(negated)))
                of_texts.add(name)
            except ValueError as problem:
                query.problems.append(str(problem))
        elif name in FIELDS:
            try:
                query.add(name, value, negated=bool(negated))
            except ValueError as problem:
                query.problems.append(str(problem))
        elif name:
            query.problems.append(unknown(name))
        else:
            words.append(f'{negated}"{value}"' if quoted is not None else f"{negated}{value}")
    if of_texts == set(SAID):
        query.problems.append("A call and its failure stand in two turns: ask for tool: or for has:tool_error.")
    query.text = " ".join(words)
    return query


def tokens(text: str) -> Iterator[tuple[str, str, str | None, str]]:
    for found in TOKEN.finditer(text):
        negated, name, quoted, plain = found.groups()
        yield negated, name or "", quoted, plain or ""


def chips_of(text: str) -> list[tuple[str, str]]:
    """Each part of a query, and the query without it."""
    found = list(TOKEN.finditer(text[:LONGEST]))
    return [(part[0], " ".join(other[0] for other in found if other is not part)) for part in found if part[0] != '"']


def unknown(name: str) -> str:
    near = get_close_matches(name, FIELDS, 1)
    meant = f"did you mean {near[0]}:?" if near else f"there are {', '.join(f'{known}:' for known in FIELDS)}."
    return f"There is no field {name}; {meant} A text with a colon goes in quotes."


def said(name: str, value: str, *, negated: bool) -> str:
    """What the search of texts is asked. Raises ValueError with what to write instead."""
    known, value = SAID[name], value.replace('"', "")
    if negated:
        raise ValueError(f"-{name}: cannot be looked for; only what is there is kept")
    if not value:
        raise ValueError(f"{name}: needs a value")
    if known is None:
        return f'{name}:"{value}"'
    if value not in known:
        raise ValueError(f"{name}: takes {', '.join(known)}")
    return known[value]


def condition_of(name: str, value: str) -> Q:
    """Raises ValueError with what to write instead."""
    if not value:
        raise ValueError(f"{name}: needs a value")
    if name in LIKE:
        found = Q()
        for column in LIKE[name]:
            found |= Q(**{f"{column}__icontains": value})
        return found
    if name in EXACT:
        return Q(**{EXACT[name]: value})
    readers: dict[str, Callable[[str], Q]] = {"outcome": outcome, "is": state}
    return readers[name](value) if name in readers else measured(name, value)


def outcome(value: str) -> Q:
    if value not in {known.value for known in Outcome}:
        raise ValueError(f"outcome: takes one of {', '.join(known.value for known in Outcome)}")
    return Q(outcome=value)


def state(value: str) -> Q:
    if value not in STATES:
        raise ValueError(f"is: takes one of {', '.join(STATES)}")
    return STATES[value]


def measured(name: str, value: str) -> Q:
    column, units = MEASURED[name]
    found = COMPARED.fullmatch(value.lower())
    example = {"ttft": "ttft:>5s", "duration": "duration:>=1m", "cost": "cost:>0.5"}.get(name, f"{name}:>=400")
    if found is None or found[3] not in units:
        named = ", ".join(unit for unit in units if unit)
        raise ValueError(
            f"{name}: needs a number{f' ({named})' if named else ''}, with >, >=, < or <= before it, such as {example}"
        )
    try:
        number: Any = Decimal(found[2]) * units[found[3]]
    except InvalidOperation:
        raise ValueError(f"{name}: {found[2]} is no number; write for instance {example}") from None
    if number >= 2**31 - 1:
        raise ValueError(f"{name}: {found[2]} is too large")
    return Q(**{f"{column}__{LOOKUPS[found[1]]}": number})
