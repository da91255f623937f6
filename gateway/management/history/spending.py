"""`history context|tools`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.conversation.context import ContextReport, Waste, report
from gateway.history.conversation.loading import load_sessions
from gateway.history.conversation.present import tool_object, waste_object
from gateway.history.conversation.rates import price_reader
from gateway.history.conversation.tool_use import figures
from gateway.history.queries import FILTERS, matching
from gateway.management.history.action import Action, add_filters, filters_of
from gateway.management.history.conversing import conversation_arguments, load
from gateway.management.history.printing import dump, printable, table_line

TOOL_COLUMNS = (
    ("name", 32),
    ("calls", 6),
    ("errors", 6),
    ("without_result", 9),
    ("offered", 7),
    ("median_wait_ms", 10),
    ("longest_wait_ms", 10),
    ("result_bytes", 12),
    ("largest_result_bytes", 10),
)
TITLES = {
    "without_result": "no result",
    "median_wait_ms": "median ms",
    "longest_wait_ms": "longest ms",
    "result_bytes": "result bytes",
    "largest_result_bytes": "largest",
}


def context_arguments(parser: ArgumentParser) -> None:
    conversation_arguments(parser)
    parser.add_argument("--largest", type=int, default=15, help="how many residents of each context (15)")


def context(command: BaseCommand, *, session: str, json: bool, largest: int, **options: Any) -> None:
    waste = report(load(session), price_reader())
    if json:
        command.stdout.write(dump(waste_object(waste, largest), indent=2))
        return
    for found in waste.contexts:
        write_context(command, found, largest)
    write_waste(command, waste)


def write_context(command: BaseCommand, found: ContextReport, largest: int) -> None:
    who = f"agent {found.call.agent_id}" if found.call.agent_id else "main"
    tokens = "tokens not known" if found.prompt_tokens is None else f"{found.prompt_tokens} tokens"
    command.stdout.write(printable(f"{who}: the prompt of {found.call.id}, {tokens}; of these, about"))
    for resident in found.residents[:largest]:
        share = "?" if resident.tokens is None else str(resident.tokens)
        line = f"{share:>9}  {resident.size:>9} bytes  in {resident.calls:>4} calls  {resident.name}"
        command.stdout.write(printable(line))


def write_waste(command: BaseCommand, waste: Waste) -> None:
    if waste.files:
        command.stdout.write("read more than once")
    for file in waste.files:
        command.stdout.write(printable(f"{file.reads:>9} times  {file.result_bytes:>9} bytes  {file.path}"))
    if waste.idle_tools:
        command.stdout.write("offered and never called; tokens are estimates")
    for tool in waste.idle_tools:
        tokens = "?" if tool.tokens is None else str(tool.tokens)
        carried = "" if tool.carried is None else f", {tool.carried} in all"
        cost = "" if tool.cost is None else f", ${tool.cost:.4f}"
        command.stdout.write(printable(f"{tokens:>9} tokens in {tool.calls:>4} prompts{carried}{cost}  {tool.name}"))


def tools_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("conversation", nargs="?", help="a session's id or that of a request; or narrow by filters")
    parser.add_argument("--sessions", type=int, default=100, help="with filters: the newest so many sessions (100)")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    add_filters(parser)


def tools(command: BaseCommand, *, conversation: str | None, sessions: int, json: bool, **options: Any) -> None:
    filters = filters_of(options)
    narrowed = any(filters[name] is not None for name in (*FILTERS, "since", "until"))
    if (conversation is None) is not narrowed:
        raise CommandError("name one conversation, or narrow the history by filters such as --since 7d")
    found = [load(conversation)] if conversation else load_sessions(matching(**filters), sessions)
    rows = [tool_object(tool) for tool in figures(found)]
    if json:
        command.stdout.write(dump(rows, indent=2))
        return
    command.stdout.write(table_line({name: TITLES.get(name, name) for name, _ in TOOL_COLUMNS}, TOOL_COLUMNS))
    for row in rows:
        command.stdout.write(table_line(row, TOOL_COLUMNS))


ACTIONS = (
    Action("context", "what fills the context, what is read again, what is never called", context_arguments, context),
    Action("tools", "per tool: calls, errors, waits, result sizes", tools_arguments, tools),
)
