"""The configuration as a file: applied, or written out."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.configuration.applying import Outcome, apply_document
from gateway.configuration.document import Document, read_document
from gateway.configuration.document_reader import WrongDocument
from gateway.configuration.exporting import export_document


class Command(BaseCommand):
    help = "Apply a YAML file of providers, routes, teams and API keys, or write the present configuration as one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="apply|export")
        applying = actions.add_parser("apply", help="bring the configuration to what a file says; idempotent")
        applying.add_argument("file", help="the YAML file, - for standard input")
        applying.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")
        applying.add_argument("--prune", action="store_true", help="remove what the file's sections do not name")
        applying.add_argument("--yes", action="store_true", help="remove without asking")
        exporting = actions.add_parser("export", help="write the configuration, without secrets")
        exporting.add_argument("file", nargs="?", default="-", help="where to (default: standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "export":
            self.export(options["file"])
        else:
            self.apply(options)

    def export(self, file: str) -> None:
        document = export_document()
        if file == "-":
            self.stdout.write(document, ending="")
        else:
            Path(file).write_text(document, encoding="utf-8")

    def apply(self, options: dict[str, Any]) -> None:
        try:
            document = read_document(read_source(options["file"]))
            if options["prune"] and not options["dry_run"] and not options["yes"]:
                self.ask(document)
            outcome = apply_document(document, prune=options["prune"], dry_run=options["dry_run"])
        except WrongDocument as error:
            raise CommandError(f"{options['file']}:\n{error}\nNothing was changed.") from None
        self.report(outcome, dry_run=options["dry_run"])

    def ask(self, document: Document) -> None:
        removed = apply_document(document, prune=True, dry_run=True)
        if not removed.removed:
            return
        lines = "\n".join(line for line in removed.changes if line.startswith("-"))
        if not sys.stdin.isatty():
            raise CommandError(f"This would remove:\n{lines}\nSay --yes to do so. Nothing was changed.")
        if input(f"This removes:\n{lines}\nGo on? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was changed.")

    def report(self, outcome: Outcome, *, dry_run: bool) -> None:
        for line in outcome.changes:
            self.stdout.write(line)
        count = len(outcome.changes)
        self.stdout.write(f"{count} change{'' if count == 1 else 's'}{', none made (dry run)' if dry_run else ''}")
        if dry_run:
            return
        for name, key in outcome.generated.items():
            self.stdout.write(f"The key of {name}, shown this once: {key}")


def read_source(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
