"""SEC-20, SEC-21: what is found by looking at code and settings."""

from __future__ import annotations

import ast
import asyncio
import base64
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.clients.processes import ROOT
from tests.faults.registry import require, row
from tests.faults.scene import Scene

OURS = ("gateway", "dashboard", "proxy_project")
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "mark_safe", "Template", "from_string", "render_to_string"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "jinja2", "dill"}
STARTS_PROCESSES = re.compile(r"^proxy_project/(embedded|management|backups)/")
"""The supervisor and the backup start programs; nothing they start comes from the database."""
ALLOWED = {
    ("gateway/admin", "render_to_string"),
    ("dashboard", "render_to_string"),
    # A cell of a long list, all parts of which it escapes itself: a template for each would take a page's time.
    ("dashboard/rendering/cells.py", "mark_safe"),
    # The one place where captured text becomes markup: what nh3 cleaned, and what was escaped.
    ("dashboard/rendering/markup.py", "mark_safe"),
}


async def command(*arguments: str, **variables: str) -> tuple[int, str]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("TURNLOG_", "DATABASE_URL"))} | variables
    done = await asyncio.to_thread(
        subprocess.run, arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    return done.returncode, done.stdout + done.stderr


@row(
    "SEC-20",
    "No template is made of stored text, no program started from values of the database, nothing unpickled, nothing"
    " evaluated: by a walk over every call in the code, and the linter's security rules.",
    quick=True,
)
async def no_code_execution(scene: Scene) -> str:
    found, count = [], 0
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            count += 1
            found += suspicious(path, str(path.relative_to(ROOT)))
    require(not found, "; ".join(found[:8]))
    rules = "S102,S301,S302,S307,S308,S506,S602,S604,S605,S608,S610,S611,S701,S702,S704"
    arguments = ["ruff", "check", "--no-cache", "--select", rules, "--extend-exclude", "tests,bench", *OURS]
    status, said = await command(sys.executable, "-m", *arguments)
    require(status == 0, said[-800:])
    status, said = await command(sys.executable, "-c", SERIALIZERS, **throwaway(scene))
    require(status == 0 and "json" in said, f"serializers: {said[-400:]}")
    return f"{count} files; Celery and sessions: {said.strip().splitlines()[-1]}"


SERIALIZERS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "proxy_project.settings"
import django; django.setup()
from django.conf import settings
from proxy_project.celery import app
assert app.conf.task_serializer == "json" and set(app.conf.accept_content) == {"json"}, app.conf.accept_content
assert settings.SESSION_SERIALIZER.endswith("JSONSerializer"), settings.SESSION_SERIALIZER
print("json", "json")
"""


def suspicious(path: Path, name: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{name}:{node.lineno} imports {module}" for module in modules if is_forbidden(module, name)]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            plain = isinstance(node.func, ast.Name) or called in ("from_string", "mark_safe", "Template")
            allowed = any(name.startswith(place) and called == what for place, what in ALLOWED)
            if plain and called in FORBIDDEN_CALLS and not allowed:
                found.append(f"{name}:{node.lineno} calls {called}")
    return found


def is_forbidden(module: str, name: str) -> bool:
    top = module.partition(".")[0]
    return top in FORBIDDEN_MODULES or (top == "subprocess" and not STARTS_PROCESSES.match(name))


def throwaway(scene: Scene) -> dict[str, str]:
    return {"TURNLOG_DATA_DIR": str(scene.directory / "settings"), "DATABASE_URL": "postgresql://nobody@127.0.0.1/none"}


@row(
    "SEC-21",
    "With the settings of production (`TURNLOG_BEHIND_TLS=1`, keys and host names given) `manage.py check --deploy` has"
    " nothing to say.",
    quick=True,
)
async def deployable(scene: Scene) -> str:
    (scene.directory / "keys").write_text("ada=tl_ada-and-her-key-0123456789\n")
    (scene.directory / "keys").chmod(0o600)
    variables = throwaway(scene) | {
        "TURNLOG_BEHIND_TLS": "1",
        "TURNLOG_SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
        "TURNLOG_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "TURNLOG_ALLOWED_HOSTS": "turnlog.example",
        "TURNLOG_ACCESS_KEYS_FILE": str(scene.directory / "keys"),
    }
    arguments = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    status, said = await command(*arguments, **variables)
    require(status == 0, said[-800:])
    return said.strip().splitlines()[-1]
