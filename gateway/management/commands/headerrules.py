"""`manage.py headerrules list|dry-run|shadow|live|draft`: rules on headers from a terminal."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.configuration.revisions import revision
from gateway.history.header_dry_run import MOST, USUAL, dry_run
from gateway.models import HeaderRule
from gateway.policy.header_rules import RuleState

AUTHOR = "manage.py headerrules"


class Command(BaseCommand):
    help = "Header rules: list them, try one on recorded requests, and put it in force. New ones: the admin, or config."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="{list,dry-run,shadow,live,draft}")
        actions.add_parser("list", help="all rules in their order, with what their last dry run showed")
        trying = actions.add_parser("dry-run", help="what rules would have done to recorded requests, each by itself")
        trying.add_argument("names", nargs="+", metavar="NAME")
        trying.add_argument("--last", type=int, default=USUAL, help=f"how many of the newest requests ({USUAL})")
        for state, what in (
            (RuleState.SHADOW, "record what it would do, and do nothing"),
            (RuleState.LIVE, "put it in force; its dry run must have been made since it was last changed"),
            (RuleState.DRAFT, "take it out of force"),
        ):
            actions.add_parser(state.value, help=what).add_argument("name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "list":
            return self.list_rules()
        if action == "dry-run":
            for rule in [named(name) for name in options["names"]]:
                self.try_out(rule, options["last"])
            return None
        return self.put(named(options["name"]), RuleState(action))

    def list_rules(self) -> None:
        for rule in HeaderRule.objects.all():
            state = rule.state if rule.enabled else "off"
            self.stdout.write(
                f"{rule.position:>5} {state:<6} {rule.direction:<8} {rule.name:<24} {rule.action} {rule.header}: "
                f"{rule.dry_run or 'no dry run as it is written'}"
            )

    def try_out(self, rule: HeaderRule, last: int) -> None:
        if not 1 <= last <= MOST:
            raise CommandError(f"--last takes 1 to {MOST}.")
        run = dry_run(rule, last, AUTHOR, tell=lambda done: self.stderr.write(f"{done} requests"))
        self.stdout.write(f"{rule.name}: {run}")
        for example in run.examples:
            for words in example["broken"]:
                self.stdout.write(f"  {example['id']}: {words}")
        for words in rule.warnings:
            self.stdout.write(f"  note: {words}")

    def put(self, rule: HeaderRule, state: RuleState) -> None:
        try:
            with revision(author_name=AUTHOR, note=f"{rule.name}: {state.value}"):
                rule.move_to(state)
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{rule.name} is {state.value}")


def named(name: str) -> HeaderRule:
    rule = HeaderRule.objects.filter(name=name).first()
    if rule is None:
        raise CommandError(f"There is no header rule {name}; headerrules list shows all.")
    return rule
