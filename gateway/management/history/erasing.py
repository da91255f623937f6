"""`history retention|erase|sweep|certificates`: what goes, and the proof of what went."""

from __future__ import annotations

import datetime
from argparse import ArgumentParser
from getpass import getuser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.history.blob_verification import places
from gateway.history.erasure import Erasure, selected
from gateway.history.retention import Due, due, keep_terms
from gateway.history.sweeping import Busy, sweep
from gateway.management.history.action import Action
from gateway.management.history.printing import dump
from gateway.models import ErasureCertificate
from gateway.recording.erasing import empty_letters, erase_everywhere, find_letters
from gateway.recording.letter_terms import due_letters

SELECTORS = {
    "session": "one session, by its id",
    "access_key": "all that was asked with one key, by its name",
    "user": "all that was asked with the keys of one person, by user name",
    "team": "all of one team, by its name",
}
CERTIFICATE_KEYS = (
    "id", "asked_by", "reason", "selector", "began_at", "ended_at", "exchanges", "held", "bodies_bytes", "blobs",
    "responses", "letters", "quarantined", "first_id", "last_id", "ids_sha256",
)  # fmt: skip


def retention_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would go and how much room returns; no more")
    parser.add_argument("--json", action="store_true", help="with --dry-run: print one JSON object")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def retention(command: BaseCommand, *, dry_run: bool, json: bool, yes: bool, **options: Any) -> None:
    now = datetime.datetime.now(datetime.UTC)
    found, letters = due(now), due_letters(now)
    if json:
        command.stdout.write(dump({**due_object(found), "letters": len(letters)}, indent=2))
    else:
        tell_due(command, found, len(letters))
    if dry_run or not (found.months or letters or any(team.exchanges > team.held for team in found.teams)):
        return
    ask(yes, "Remove this for good?")
    for step in guarded(keep_terms(now)):
        command.stderr.write(step)
    empty_letters(letters)


def due_object(found: Due) -> dict[str, Any]:
    months = [
        {"month": f"{due.month:%Y-%m}", "exchanges": due.exchanges, "held": due.held, "bytes": due.bytes}
        for due in found.months
    ]
    teams = [
        {"team": due.team, "before": due.before.isoformat(), "exchanges": due.exchanges, "held": due.held,
         "raw_bytes": due.raw_bytes}
        for due in found.teams
    ]  # fmt: skip
    return {"months": months, "teams": teams, "bytes": sum(due.bytes for due in found.months)}


def tell_due(command: BaseCommand, found: Due, letters: int) -> None:
    for month in found.months:
        what = f"{month.exchanges:,} exchanges, {month.held:,} of them held"
        command.stdout.write(f"{month.month:%Y-%m}  {what}; {month.bytes:,} bytes return")
    for team in found.teams:
        command.stdout.write(
            f"{team.team}, before {team.before:%Y-%m-%d}: {team.exchanges:,} exchanges of {team.raw_bytes:,} bytes, "
            f"{team.held:,} of them held"
        )
    if letters:
        command.stdout.write(f"{letters:,} dead letters")
    if not (found.months or found.teams or letters):
        command.stdout.write("nothing is due")


def erase_arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    for name, help in SELECTORS.items():
        which.add_argument(f"--{name.replace('_', '-')}", help=help)
    parser.add_argument("--reason", default="", help="goes into the certificate")
    parser.add_argument("--dry-run", action="store_true", help="say how much would go; no more")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def erase_selected(command: BaseCommand, *, reason: str, dry_run: bool, yes: bool, **options: Any) -> None:
    selector = {name: options[name] for name in SELECTORS if options[name]}
    count, letters = selected(selector).count(), find_letters(selector)
    command.stderr.write(f"{count} exchanges and {len(letters.ids)} dead letters")
    if letters.unread:
        command.stderr.write(f"{letters.unread} dead letters cannot be read: nobody knows whose they are")
    if dry_run or not (count or letters.ids):
        return
    ask(yes, "Erase them for good?")
    steps = erase_everywhere(Erasure(selector, getuser(), reason), settings.TURNLOG.data_dir / "spool")
    for step in guarded(steps):
        if isinstance(step, ErasureCertificate):
            command.stdout.write(dump(certificate_object(step), indent=2))
        else:
            command.stderr.write(f"{step.exchanges} exchanges and {step.blobs} blobs removed")


def sweep_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def sweep_everything(command: BaseCommand, *, yes: bool, **options: Any) -> None:
    ask(yes, "Remove what nothing in the history refers to any more?")
    removed = 0
    for place, blobs in guarded((place, sweep(place.month, place.scope)["gateway_blob"]) for place in places()):
        removed += blobs
        command.stderr.write(f"{place}: {blobs} blobs removed")
    command.stdout.write(f"{removed} blobs removed")


def certificates(command: BaseCommand, **options: Any) -> None:
    found = [certificate_object(certificate) for certificate in ErasureCertificate.objects.all()]
    command.stdout.write(dump(found, indent=2))


def certificate_object(certificate: ErasureCertificate) -> dict[str, Any]:
    values = {name: getattr(certificate, name) for name in CERTIFICATE_KEYS}
    plain = (int, dict, type(None))
    return {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}


def guarded(steps: Any) -> Any:
    try:
        yield from steps
    except Busy as busy:
        raise CommandError(f"{busy}; what was removed so far stays removed") from busy


def ask(yes: bool, question: str) -> None:
    if not yes and input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was removed")


def no_arguments(parser: ArgumentParser) -> None:
    """Takes none."""


ACTIONS = (
    Action(
        "retention", "remove what is older than its term; --dry-run says what that is", retention_arguments, retention
    ),
    Action("erase", "remove a session, a key, a person or a team, and certify it", erase_arguments, erase_selected),
    Action(
        "sweep",
        "remove what nothing refers to: after an erasure that was broken off",
        sweep_arguments,
        sweep_everything,
    ),
    Action("certificates", "what was erased, as JSON", no_arguments, certificates),
)
