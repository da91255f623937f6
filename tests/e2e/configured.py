"""Configuration of a running gateway, from a test."""

from __future__ import annotations

import subprocess
import sys

from tests.e2e.processes import ROOT, WebProcess, until
from tests.e2e.wire import ask


def manage(
    web: WebProcess, *arguments: str, text: str = "", environment: dict[str, str] | None = None, seconds: float = 60
) -> str:
    """What `manage.py` writes; it must succeed."""
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=web.environment | (environment or {}),
        input=text,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def apply(web: WebProcess, document: str, *options: str) -> str:
    return manage(web, "config", "apply", "-", *options, text=document)


def apply_and_wait(web: WebProcess, document: str) -> None:
    """In force when this returns: a team of a new name is told of by the log."""
    before = web.output.count("is in force")
    if apply(web, document, "--prune", "--yes").startswith("0 changes"):
        return
    until(lambda: web.output.count("is in force") > before, 60, "the configuration")
    assert ask(web, "GET", "/readyz").status == 200
