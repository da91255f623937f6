"""One action of `manage.py history`, and how its arguments are read."""

from __future__ import annotations

import datetime
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.history.queries import FILTERS


class Action(NamedTuple):
    """`run` gets the running command, for its streams, and the options as keywords."""

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[..., None]


FILTER_OPTIONS = {
    "session": "only this session's",
    "agent": "only this agent's",
    "prompt": "only those of this prompt",
    "model": "only those this model answered",
    "outcome": "only those that ended so",
    "status": "only those with this HTTP status",
    "client": "only this client's, such as claude-code",
    "provider": "only those that went to this provider",
    "dialect": "only anthropic, chat, responses or openai",
    "team": "only this team's",
    "access_key": "only those made with this key, by its name",
}


def add_filters(parser: ArgumentParser) -> None:
    """All filters of the history, and the bounds in time."""
    for name in FILTERS:
        kind: Any = int if name == "status" else str
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=FILTER_OPTIONS[name])
    parser.add_argument("--since", type=moment, help="only since this time: 2026-11-21, 2026-11-21T09:30, 30m, 2h, 7d")
    parser.add_argument("--until", type=moment, help="only before this time, spelled likewise")


def filters_of(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in (*FILTERS, "since", "until")}


def exchange_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not an id") from None


def moment(text: str) -> datetime.datetime:
    """An ISO 8601 time (UTC unless it says otherwise), or a while ago: a number and s, m, h or d."""
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    now = datetime.datetime.now(datetime.UTC)
    if text[-1:] in units and text[:-1].isdecimal():
        return now - datetime.timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time") from None
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)
