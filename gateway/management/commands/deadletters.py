"""`manage.py deadletters list|show|replay|discard`: exchanges the loader could not store."""

from __future__ import annotations

import json
import uuid
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.history.prices import read_book
from gateway.models import DeadLetter
from gateway.recording.deadletters import discard, read_letter, replay, waiting
from gateway.recording.rows import RowBuilder


class Command(BaseCommand):
    help = "Exchanges the loader could not store, with their spool frames: look, store after all, or give up."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="{list,show,replay,discard}")
        listing = actions.add_parser("list", help="dead letters that wait")
        listing.add_argument("--json", action="store_true", help="print one JSON array")
        show = actions.add_parser("show", help="what one of them holds, less its bodies")
        show.add_argument("ids", type=uuid.UUID, nargs=1, metavar="ID")
        for name, text in (
            ("replay", "store them now; what is in the history already is left alone"),
            ("discard", "delete their bytes; they stay counted as discarded"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("ids", type=uuid.UUID, nargs="*", metavar="ID")
            action.add_argument("--all", action="store_true", help="all that wait")
            action.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "list":
            self._list(options["json"])
        elif action == "show":
            self._show(options["ids"][0])
        elif action == "replay":
            self._replay(chosen(options))
        else:
            self._discard(chosen(options), sure=options["yes"])

    def _list(self, as_json: bool) -> None:
        letters = [summary(letter) for letter in waiting()]
        if as_json:
            self.stdout.write(json.dumps(letters, indent=2))
            return
        for letter in letters:
            self.stdout.write(f"{letter['id']}  {letter['created_at']}  {letter['reason']}")
        self.stdout.write(f"{len(letters)} dead letters wait")

    def _show(self, exchange_id: uuid.UUID) -> None:
        letter = DeadLetter.objects.filter(exchange_id=exchange_id).first()
        if letter is None:
            raise CommandError(f"there is no dead letter {exchange_id}")
        shown = summary(letter) | {"state": letter.state, "detail": letter.detail, "frame_bytes": len(letter.frames)}
        try:
            recorded = read_letter(letter)
        except (ValueError, msgspec.DecodeError) as error:
            shown["unreadable"] = str(error)
        else:
            admission = recorded.admission
            shown |= {"method": admission.method, "path": admission.path, "outcome": recorded.end.outcome}
            shown |= {"request_bytes": len(recorded.body or b""), "response_bytes": len(recorded.response)}
        self.stdout.write(json.dumps(shown, indent=2))

    def _replay(self, ids: list[uuid.UUID]) -> None:
        builder = RowBuilder(settings.TURNLOG.tag_headers, read_book())
        failed = 0
        for number, exchange_id in enumerate(ids, 1):
            error = replay(exchange_id, builder)
            failed += error is not None
            self.stdout.write(f"{number}/{len(ids)}  {exchange_id}  {error or 'in the history'}")
        if failed:
            raise CommandError(f"{failed} of {len(ids)} could still not be stored")

    def _discard(self, ids: list[uuid.UUID], *, sure: bool) -> None:
        if ids and not sure:
            answer = input(f"Delete the bytes of {len(ids)} exchanges that are not in the history? [y/N] ")
            if answer.strip().lower() not in ("y", "yes"):
                raise CommandError("nothing discarded")
        self.stdout.write(f"{discard(ids)} discarded")


def chosen(options: dict[str, Any]) -> list[uuid.UUID]:
    if options["all"] == bool(options["ids"]):
        raise CommandError("name ids, or say --all")
    return [letter.exchange_id for letter in waiting()] if options["all"] else options["ids"]


def summary(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": str(letter.exchange_id),
        "created_at": letter.created_at.isoformat(),
        "attempts": letter.attempts,
        "reason": letter.reason,
    }
