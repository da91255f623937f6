"""What `manage.py run` prints once it serves: where, how to sign in, the settings in force, the lines to paste."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields

from proxy_project.command_line import SUPERVISED
from proxy_project.embedded.connect import connection_lines
from proxy_project.environment import Environment, describe, variable_of


def announcement(environment: Environment, base_url: str, sign_in: str | None, *, keyed: bool) -> list[str]:
    lines = ["", f"Turnlog is at {base_url}"]
    if sign_in:
        lines.append(f"Sign in to the admin, once, within a day: {base_url}{sign_in}")
    lines.append(f"Mode: {mode(keyed)}")
    lines += ["", "Settings in force (value, where it came from):", *settings_table(describe(environment))]
    for client, text in connection_lines(base_url, keyed=keyed):
        lines += ["", f"{client}:", *(f"    {line}".rstrip() for line in text.split("\n"))]
    return [*lines, ""]


def mode(keyed: bool) -> str:
    if keyed:
        return "keyed: callers need a Turnlog key, the gateway holds the providers' keys"
    return "open: each caller's own credential is passed on to its provider"


def settings_table(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    rows = list(rows)
    name_width = max(len(name) for name, _, _ in rows)
    value_width = min(44, max(len(value) for _, value, _ in rows))
    return [f"    {name:<{name_width}}  {value:<{value_width}}  {source}" for name, value, source in rows]


def misspelt_variables(environ: Mapping[str, str]) -> list[str]:
    """A line for each `TURNLOG_` variable that is nearly one of ours."""
    known = {variable_of(item.name, item.metadata) for item in fields(Environment) if item.name != "sources"}
    lines = []
    for name in sorted(environ):
        if name.startswith("TURNLOG_") and name != SUPERVISED and not {name, name.removesuffix("_FILE")} & known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
            lines += [f"{name} is not a setting: is {near[0]} meant?"] if near else []
    return lines
