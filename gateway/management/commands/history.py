"""`manage.py history ...`: the history from a terminal. The actions are in `gateway/management/history`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory
from gateway.management.history import (
    conversing,
    erasing,
    exporting,
    reading,
    replaying,
    searching,
    spending,
    storing,
)

MODULES = (
    reading,
    conversing,
    spending,
    searching,
    exporting,
    replaying,
    storing,
    erasing,
)
ACTIONS = {action.name: action for module in MODULES for action in module.ACTIONS}


class Command(BaseCommand):
    help = "Look into the history: exchanges and their exact bytes, conversations, the cache, exports, proofs."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="{" + ",".join(ACTIONS) + "}")
        for action in ACTIONS.values():
            action.add_arguments(actions.add_parser(action.name, help=action.help, description=action.help))

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            ACTIONS[action].run(self, **options)
        except (NotInHistory, Damaged) as error:
            raise CommandError(str(error)) from error
