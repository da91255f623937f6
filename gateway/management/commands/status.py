"""`manage.py status`: is everything accounted for?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway.recording.status import Status, as_object, read_status


class Command(BaseCommand):
    help = (
        "The reconciliation line: accepted = stored + spooled + dropped. Works whether or not web, loader or the "
        "database run; without the database, stored is unknown and accepted counts only what lies in the spool."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--spool", type=Path, help="the spool's directory; default: spool in the data directory")

    def handle(self, *args: Any, **options: Any) -> None:
        status = read_status(options["spool"] or settings.TURNLOG.data_dir / "spool")
        self.stdout.write(json.dumps(as_object(status)) if options["json"] else describe(status))


def describe(status: Status) -> str:
    dropped = sum(status.dropped.values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in status.dropped.items())
    stored = "?" if status.stored is None else status.stored
    lines = [
        f"accepted {status.accepted} = stored {stored} + spooled {status.spooled} + dropped {dropped}"
        + (f" ({reasons})" if reasons else ""),
        f"in flight {status.in_flight}" + (", draining" if status.draining else ""),
        f"database {status.database}",
    ]
    if status.kept_as:
        kept = ", ".join(f"{how} {count}" for how, count in status.kept_as.items())
        lines.insert(1, f"of these, as capture policies want it, since the processes began: {kept}")
    if status.balanced is False:
        lines.append("the sums do not agree: run `manage.py history verify` and look at the loader's log")
    if status.dead_letters:
        lines.append(f"{status.dead_letters} dead letters wait: see `manage.py deadletters list`")
    if status.quarantined:
        lines.append(f"{status.quarantined} damaged stretches of the spool are in its quarantine directory")
    if status.recorder_faults:
        lines.append(f"the recorder failed {status.recorder_faults} times; the exchanges went on")
    return "\n".join(lines)
