"""Kept answers: throw them away."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gateway.models import CacheClearing


class Command(BaseCommand):
    help = "Throw away kept answers in every process: those that all patterns fit, or all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("clear",), help="clear: nothing made until now is given again")
        parser.add_argument("--model", default="", help="of this model, or of a pattern such as claude-*")
        parser.add_argument("--key", default="", help="of this API key, or of a pattern")
        parser.add_argument("--team", default="", help="of this team, or of a pattern")

    def handle(self, *args: Any, **options: Any) -> None:
        row = CacheClearing._default_manager.create(model=options["model"], key=options["key"], team=options["team"])
        self.stdout.write(f"Kept answers of {row} are not given again.")
