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
from gateway.configuration.revisions import revision, roll_back
from gateway.models import ConfigurationRevision


class Command(BaseCommand):
    help = "Apply a YAML file of all that ops configure, compare with one, write one; show versions and go back to one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        applying = actions.add_parser("apply", help="bring the configuration to what a file says; idempotent")
        applying.add_argument("file", help="the YAML file, - for standard input")
        applying.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")
        applying.add_argument("--prune", action="store_true", help="remove what the file's sections do not name")
        applying.add_argument("--yes", action="store_true", help="remove without asking")
        applying.add_argument("--environment", default="", help="with what the file says for this environment")
        comparing = actions.add_parser("diff", help="say what applying a file would change; ends with 1 when anything")
        comparing.add_argument("file", help="the YAML file, - for standard input")
        comparing.add_argument("--environment", default="", help="with what the file says for this environment")
        listing = actions.add_parser("versions", help="list the versions, newest first")
        listing.add_argument("--limit", type=int, default=20, help="how many (default: 20)")
        showing = actions.add_parser("show", help="show what a version changed")
        showing.add_argument("number", type=int)
        returning = actions.add_parser("rollback", help="bring the configuration to what it was in a version")
        returning.add_argument("number", type=int)
        returning.add_argument("--yes", action="store_true", help="without asking")
        exporting = actions.add_parser("export", help="write the configuration, without secrets")
        exporting.add_argument("file", nargs="?", default="-", help="where to (default: standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {
            "apply": self.apply,
            "diff": self.diff,
            "export": self.export,
            "versions": self.versions,
            "show": self.show,
            "rollback": self.rollback,
        }
        actions[options["action"]](options)

    def export(self, options: dict[str, Any]) -> None:
        file = options["file"]
        document = export_document()
        if file == "-":
            self.stdout.write(document, ending="")
        else:
            Path(file).write_text(document, encoding="utf-8")

    def apply(self, options: dict[str, Any]) -> None:
        try:
            document = read_document(read_source(options["file"]), options["environment"])
            if options["prune"] and not options["dry_run"] and not options["yes"]:
                self.ask(document)
            with revision(author_name="manage.py config", note=f"apply {Path(options['file']).name}"):
                outcome = apply_document(document, prune=options["prune"], dry_run=options["dry_run"])
        except WrongDocument as error:
            raise CommandError(f"{options['file']}:\n{error}\nNothing was changed.") from None
        self.report(outcome, dry_run=options["dry_run"])

    def diff(self, options: dict[str, Any]) -> None:
        try:
            document = read_document(read_source(options["file"]), options["environment"])
            outcome = apply_document(document, prune=True, dry_run=True)
        except WrongDocument as error:
            raise CommandError(f"{options['file']}:\n{error}") from None
        self.report(outcome, dry_run=True)
        if outcome.changes:
            sys.exit(1)

    def versions(self, options: dict[str, Any]) -> None:
        for row in ConfigurationRevision.objects.defer("document")[: options["limit"]]:
            changed = sum(line.startswith(("+", "-")) for line in row.difference.splitlines())
            when = row.made_at.strftime("%Y-%m-%d %H:%M:%S")
            self.stdout.write(f"{row.pk:>6}  {when}  {row.author_name:<20}  {changed:>4} lines  {row.note}")

    def show(self, options: dict[str, Any]) -> None:
        row = self.version(options["number"])
        self.stdout.write(row.difference or "(the first version)")

    def rollback(self, options: dict[str, Any]) -> None:
        row = self.version(options["number"])
        if not options["yes"]:
            self.agree(row)
        try:
            outcome = roll_back(row.pk, author_name="manage.py config")
        except WrongDocument as error:
            raise CommandError(f"version {row.pk}:\n{error}\nNothing was changed.") from None
        self.report(outcome, dry_run=False)

    def version(self, number: int) -> ConfigurationRevision:
        row = ConfigurationRevision.objects.filter(pk=number).first()
        if row is None:
            raise CommandError(f"There is no version {number}; config versions lists them.")
        return row

    def agree(self, row: ConfigurationRevision) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Going back changes everything made since. Say --yes to do so. Nothing was changed.")
        asked = f"This brings everything to what it was at {row.made_at:%Y-%m-%d %H:%M}. Go on? [y/N] "
        if input(asked).strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was changed.")

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
