"""`manage.py selftest`: is what goes through the running gateway exactly what comes out?"""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.configuration.sealing import pepper
from gateway.selftest.comparison import Result
from gateway.selftest.run import Unreachable, green, run_selftest
from gateway.upstream.own_listener import own_address


class Command(BaseCommand):
    help = (
        "Send synthetic traffic through the running gateway to a built-in provider, and the same to it directly; show "
        "every difference in bytes, headers, pings and timing. Ends with 0 only when there is none."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        own = own_address()
        parser.add_argument("--url", default=own, help=f"the gateway's address, on this machine ({own})")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        try:
            results = asyncio.run(self.run(url.rstrip("/"), quiet=options["json"]))
        except Unreachable as unreachable:
            raise CommandError(str(unreachable)) from unreachable
        if options["json"]:
            said = {"green": green(results), "scenarios": [asdict(result) for result in results]}
            self.stdout.write(json.dumps(said, indent=2))
        if not green(results):
            raise CommandError("what goes through the gateway is changed", returncode=1)
        if not options["json"]:
            self.stdout.write(self.style.SUCCESS("no difference"))

    async def run(self, url: str, *, quiet: bool) -> list[Result]:
        results = []
        async for result in run_selftest(url, pepper("errands")):
            results.append(result)
            if not quiet:
                self.tell(result)
        return results

    def tell(self, result: Result) -> None:
        added = "" if result.added_ms is None else f"{result.added_ms:+.1f} ms, worst {result.worst_ms:+.1f} ms"
        self.stdout.write(f"{'same' if result.is_same else 'DIFFERS':8} {result.name:56} {added}")
        for about, differences in result.differences.items():
            for difference in differences:
                self.stdout.write(f"         {about}: {difference}")
