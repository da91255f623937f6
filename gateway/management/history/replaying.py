"""`history replay`: the same bytes once more, to the same provider or another, as no usage of anybody's."""

from __future__ import annotations

import os
import sys
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.replay import CREDENTIAL_HEADERS, NotReplayable, Replay, plan_replay
from gateway.management.history.action import Action, exchange_id
from gateway.replaying import Unreachable, replayed
from gateway.upstream.own_listener import own_address


def replay_arguments(parser: ArgumentParser) -> None:
    own = own_address()
    parser.add_argument("id", type=exchange_id)
    parser.add_argument("--provider", help="another provider of the gateway, by its name; the one it went to by itself")
    parser.add_argument(
        "--credential-env",
        metavar="NAME",
        help="the environment variable that holds the credential to send; without it the provider's own in the gateway",
    )
    parser.add_argument("--url", default=own, help=f"the running gateway ({own})")
    parser.add_argument("--yes", action="store_true", help="do not ask: a replay is charged by the provider")


def replay(
    command: BaseCommand,
    *,
    id: uuid.UUID,
    provider: str | None,
    credential_env: str | None,
    url: str,
    yes: bool,
    **options: Any,
) -> None:
    """The answer's bytes go to standard output, what became of it to standard error."""
    try:
        plan = plan_replay(id)
    except NotReplayable as reason:
        raise CommandError(str(reason)) from reason
    to = provider or plan.provider
    if not yes and not confirmed(command, plan, to):
        raise CommandError("not replayed")
    out = sys.stdout.buffer
    try:
        with replayed(plan, id, provider=to, url=url, credential=credential(plan, credential_env)) as answer:
            for data in answer.iter_raw():
                out.write(data)
                out.flush()
            new = answer.headers.get("x-turnlog-request-id", "")
            command.stderr.write(f"{answer.status_code}; in the history as {new}")
    except Unreachable as problem:
        raise CommandError(str(problem)) from problem


def confirmed(command: BaseCommand, plan: Replay, to: str) -> bool:
    command.stderr.write(
        f"{plan.method} {plan.target}, {len(plan.body):,} bytes, to {to}. The provider charges for it."
    )
    if not sys.stdin.isatty():
        raise CommandError("say --yes to replay without being asked")
    return input("Replay? [y/N] ").strip().lower() in ("y", "yes")


def credential(plan: Replay, variable: str | None) -> list[tuple[bytes, bytes]]:
    """In the header the caller used for it."""
    if variable is None:
        return []
    secret = os.environ.get(variable, "")
    if not secret:
        raise CommandError(f"the environment variable {variable} is empty")
    header = plan.credential_header
    return [(header, f"Bearer {secret}".encode() if header == CREDENTIAL_HEADERS[0] else secret.encode())]


ACTIONS = (
    Action("replay", "send an exchange's bytes again through the running gateway; no usage", replay_arguments, replay),
)
