"""What the real command lines are asked to do, and what the provider does meanwhile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CODEX_CONFIG = """\
model_provider = "turnlog"
model = "gpt-5.5"

[analytics]
enabled = false

[model_providers.turnlog]
name = "Turnlog"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
"""


@dataclass(frozen=True)
class Case:
    """One run of a client. `scenarios` are what the provider does to its first model requests, then it behaves."""

    name: str
    command: Callable[[Path, str], list[str]]
    prompt: str
    scenarios: tuple[str, ...] = ()
    counted_abroad: bool = True
    """Whether the client counts the same tokens when it is led to another dialect."""


def claude(bin_dir: Path, prompt: str) -> list[str]:
    allowed = ["--allowedTools", "Bash(echo:*)", "Bash(pwd)", "Read"]
    return [str(bin_dir / "claude"), "-p", prompt, "--output-format", "json", *allowed]


def codex(bin_dir: Path, prompt: str) -> list[str]:
    return [str(bin_dir / "codex"), "exec", "--skip-git-repo-check", prompt]


CASES = (
    Case("Claude Code says hi", claude, "Say hi"),
    Case("Claude Code runs a tool", claude, "Please use the tool Bash"),
    Case("Claude Code thinks", claude, "Think about it", ("thinking",)),
    Case("Claude Code tries again after two overloads", claude, "Say hi", ("error_529", "error_529")),
    # A client drops what it has not read when the reset comes; on a busy machine the usual 50 ms are too few.
    # Six events hold another part of the answer in another dialect: over Responses the client counted 13 tokens, not 0.
    Case(
        "Claude Code resumes after a stream was cut",
        claude,
        "Say hi",
        ("cut_rst;events=6;settle_ms=3000",),
        counted_abroad=False,
    ),
    # Straight it asks for a whole answer then, whose tokens it does not count; abroad the empty stream is an error to
    # it, and it asks for a stream again.
    Case("Claude Code falls back when the stream is empty", claude, "Say hi", ("empty_stream",), counted_abroad=False),
    Case("Claude Code drops a field the provider refuses", claude, "Say hi", ("error_400",)),
    Case("Codex says hi", codex, "Say hi"),
    Case("Codex runs a tool", codex, "Please use the tool exec_command"),
    Case("Codex tries again after a server error", codex, "Say hi", ("error_500",)),
)


def client_environment(home: Path, url: str, key: str) -> dict[str, str]:
    """A clean environment in which both clients know only `url` and `key`."""
    config = home / ".codex" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(CODEX_CONFIG.format(url=url))
    node = shutil.which("node")
    return {
        "HOME": str(home),
        "PATH": f"{Path(node).parent}:/usr/bin:/bin" if node else "/usr/bin:/bin",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "ENABLE_TOOL_SEARCH": "true",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "OPENAI_API_KEY": key,
    }


def essence(case: Case, output: str) -> Any:
    """What must be equal with and without the gateway: everything but ids and times."""
    if case.command is codex:
        return output.strip().splitlines()[-1:]
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        return output
    kept = ("subtype", "is_error", "result", "stop_reason", "num_turns", "api_error_status", "terminal_reason")
    usage = result.get("usage") or {}
    return [result.get(name) for name in kept] + [usage.get("output_tokens")]
