"""`manage.py prepare`: what must be done before the processes start, where no supervisor does it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from proxy_project.embedded.preparation import administrator, collect_static, make_administrator, migrate
from proxy_project.enter import entry_path


class Command(BaseCommand):
    help = (
        "Migrate the database, make the administrator on the first time, and collect the pages' static files: what "
        "`manage.py run` does by itself. Run it before web, loader and worker of a new version start."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sign-in",
            action="store_true",
            help="print the path of a link that signs the administrator in, once, within a day",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        migrate()
        make_administrator()
        collect_static()
        user = administrator()
        if options["sign_in"] and user is not None:
            self.stdout.write(entry_path(user))
