"""Where a request would go, and why: asked of the configuration in the database, without sending anything."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.configuration.building import build_snapshot
from gateway.dialects.names import Dialect
from gateway.policy.routing import Question, Still
from gateway.policy.simulation import Simulated, simulate
from gateway.policy.strategies import Scenario


class Command(BaseCommand):
    help = "Show which targets a request would be tried at, in which order and why. Nothing is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="the model the caller asks for")
        parser.add_argument("--dialect", choices=[d.value for d in Dialect], default=Dialect.ANTHROPIC.value)
        parser.add_argument("--key", default="", help="name of the API key it comes with")
        parser.add_argument("--label", default="", help="the NAME of a path below /t/NAME/")
        parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
        parser.add_argument("--bytes", type=int, default=0, help="size of the body")
        parser.add_argument("--body", metavar="FILE", help="a body: its size counts, and it is read")
        parser.add_argument("--scenario", action="append", default=[], choices=[s.value for s in Scenario])
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = build_snapshot({})
        caller = next((found for found in snapshot.callers.values() if found.name == options["key"]), None)
        if options["key"] and caller is None:
            raise CommandError(f"There is no API key {options['key']}.")
        body = read_body(options["body"])
        question = Question(
            Dialect(options["dialect"]),
            options["model"],
            caller,
            options["label"],
            [read_header(text) for text in options["header"]],
            len(body) or options["bytes"],
            frozenset(Scenario(name) for name in options["scenario"]),
        )
        simulated = simulate(snapshot, question, Still(), body)
        self.stdout.write(json.dumps(simulated.as_json(), indent=2) if options["json"] else told(simulated))


def read_header(text: str) -> tuple[bytes, bytes]:
    name, separator, value = text.partition("=")
    if not separator:
        raise CommandError(f"--header needs the form NAME=VALUE, not {text}")
    return name.strip().lower().encode(), value.strip().encode()


def read_body(file: str | None) -> bytes:
    if file is None:
        return b""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None


def told(simulated: Simulated) -> str:
    lines = [f"why: {simulated.reason}"]
    lines += [f"{number}. {target}" for number, target in enumerate(simulated.targets, start=1)]
    lines += [f"not {reason}" for reason in simulated.left_out]
    if not simulated.targets:
        lines.append(f"refused: {simulated.refusal}")
    if simulated.scenarios:
        lines.append(f"seen as: {', '.join(simulated.scenarios)}")
    return "\n".join(lines)
