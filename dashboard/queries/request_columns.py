"""The columns the list of requests may have: what each reads of a row and says of it, and which are chosen.

Names are those of the fields in the language of the list, where it has one. When a request started always stands there:
it leads to the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Final

from django.utils.safestring import SafeString

from dashboard.rendering.cells import Cell, cell_html, outcome_html
from dashboard.templatetags.figures import figure, milliseconds, or_dash, short_figure, short_id, short_usd, size
from gateway.models import RequestLog

ALWAYS: Final = ("id", "started_at")


@dataclass(frozen=True, slots=True)
class Column:
    """`head` stands above it, `label` in its cells where a window is narrow. `reads`: fields of the row and of its
    answer, which is never joined for less. `kind`: how its cells are laid out, as a class."""

    name: str
    head: str
    label: str
    reads: tuple[str, ...]
    cell: Callable[[RequestLog], Cell]
    kind: str = ""

    def html(self, row: RequestLog) -> SafeString:
        return cell_html(self.cell(row), self.label, self.kind)


def named(name: str, head: str, field: str, write: Callable[[Any], str] = or_dash) -> Column:
    """A column of words."""

    def cell(row: RequestLog) -> Cell:
        value = getattr(row, field)
        return Cell(write(value), value or "")

    return Column(name, head, head, (field,), cell, "tl-cut")


def measured(
    name: str, head: str, field: str, write: Callable[[Any], str], exact: Callable[[Any], str] = str, label: str = ""
) -> Column:
    """A column of numbers; of the answer, when its field says so."""
    *of_answer, own = field.split("__")

    def cell(row: RequestLog) -> Cell:
        value = getattr(answer_of(row) if of_answer else row, own, None)
        return Cell(write(value), exact(value))

    return Column(name, head, label or head, (field,), cell, "tl-n")


def answer_of(row: RequestLog) -> Any:
    return getattr(row, "response", None)


def model(row: RequestLog) -> Cell:
    value = row.model or row.requested_model
    return Cell(or_dash(value), value or "")


def key(row: RequestLog) -> Cell:
    return Cell(or_dash(row.access_key), small=row.team)


def stop(row: RequestLog) -> Cell:
    return Cell(or_dash(getattr(answer_of(row), "stop_reason", None)))


def cost(row: RequestLog) -> Cell:
    answer = answer_of(row)
    return Cell(short_usd(getattr(answer, "cost_usd", None)), getattr(answer, "cost_note", ""))


def attempts(row: RequestLog) -> Cell:
    """Those that sent something; the others say why nothing was."""
    answer = answer_of(row)
    return Cell(figure(sum(each.get("phase") != "plan" for each in answer.attempts) if answer else None))


def outcome(row: RequestLog) -> Cell:
    return Cell(outcome_html(row.status_code, row.outcome, row.capture))


def untold(value: Any) -> str:
    return ""


COLUMNS: Final = (
    Column("model", "Model", "Model", ("model", "requested_model"), model, "tl-model"),
    named("asked", "Asked for", "requested_model"),
    named("team", "Team", "team"),
    Column("key", "Key", "Key", ("access_key", "team"), key),
    named("client", "Client", "client"),
    named("version", "Version", "client_version"),
    named("provider", "Provider", "provider"),
    named("session", "Session", "session_id", short_id),
    named("path", "Path", "path"),
    Column("outcome", "Outcome", "Outcome", ("status_code", "outcome", "capture"), outcome),
    Column("stop", "Stop reason", "Stop reason", ("response__stop_reason",), stop, "tl-cut"),
    Column("attempts", "Attempts", "Attempts", ("response__attempts",), attempts, "tl-n"),
    measured("in", "In", "response__input_tokens", short_figure, figure, "Tokens in"),
    measured("out", "Out", "response__output_tokens", short_figure, figure, "Tokens out"),
    measured("cache", "Cache", "response__cache_read_tokens", short_figure, figure, "Cache read"),
    measured("written", "Written", "response__cache_write_tokens", short_figure, figure, "Cache written"),
    Column("cost", "Cost", "Cost", ("response__cost_usd", "response__cost_note"), cost, "tl-n"),
    measured("size", "Size", "request_bytes", size, figure, "Size of the prompt"),
    measured("messages", "Messages", "message_count", figure, untold),
    measured("tools", "Tools", "tool_count", figure, untold),
    measured("ttft", "First byte", "response__first_byte_ms", milliseconds, untold),
    measured("duration", "Duration", "response__duration_ms", milliseconds, untold),
)
"""In the order they stand in."""
USUAL_NAMES: Final = frozenset({"model", "key", "client", "outcome", "in", "out", "cache", "cost", "ttft", "duration"})


def chosen_of(names: Iterable[str]) -> list[Column]:
    """Unknown names are nothing; where none is left, the usual columns."""
    asked = frozenset(names)
    chosen = [column for column in COLUMNS if column.name in asked]
    return chosen or [column for column in COLUMNS if column.name in USUAL_NAMES]


def read_columns(query: Mapping[str, str]) -> list[Column]:
    """Of the address: names with spaces or commas between them."""
    return chosen_of(re.split(r"[\s,]+", query.get("columns", "")))


def address_of(columns: Sequence[Column]) -> str:
    """What the address says for them; the usual ones need no words."""
    names = [column.name for column in columns]
    return "" if frozenset(names) == USUAL_NAMES else " ".join(names)


def cells_of(columns: Iterable[Column], row: RequestLog) -> SafeString:
    """Safe as long as each of them is: one that is not makes the whole plain text, which the template escapes."""
    return reduce(add, [column.html(row) for column in columns], SafeString())


def fields_of(columns: Iterable[Column]) -> list[str]:
    """What a list of them reads."""
    return [*ALWAYS, *(field for column in columns for field in column.reads)]
