"""Runs the real Claude Code and Codex command lines straight to a fake provider and through Turnlog, and compares.

Turnlog is open, keyed, or leads a client to a provider that speaks another dialect alone: Claude Code to Chat
Completions (foreign) and to Responses (foreign-responses), Codex to the first (codex-chat) and to Messages
(codex-messages). For each case the client must print the same, the provider must be asked as often, and every exchange
the provider saw must be in the history with exactly the bytes it saw and sent. Everything stays on loopback.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from tests.clients.cases import CASES, Case, claude, client_environment, codex, essence
from tests.clients.processes import Gateway, Provider, gateway, provider, wait_for

PACKAGES = ("@anthropic-ai/claude-code", "@openai/codex")
ACCESS_KEY = "key-of-the-comparison"
MODEL_NAMED = re.compile(r" \(model [^()]+\)")
REQUEST, ASKED = ("--part", "request"), ("--part", "request", "--sent")
ABROAD = """
providers:
  - {{name: engine, dialect: openai, address: {url}, profile: {profile}, keyless: true}}
  - {{name: claude, dialect: anthropic, address: {url}, keyless: true}}
routes:
  - {{match: "{models}", provider: {provider}, model: {model}}}
"""


class Abroad(NamedTuple):
    """A client all of whose models lead to a provider of another dialect, which is asked at `path` alone."""

    command: Any
    models: str
    provider: str
    model: str
    path: str
    profile: str = "vllm"


FOREIGN = {
    "foreign": Abroad(claude, "claude-*", "engine", "qwen3-coder", "/v1/chat/completions"),
    "foreign-responses": Abroad(claude, "claude-*", "engine", "gpt-5.5", "/v1/responses", "openai"),
    "codex-chat": Abroad(codex, "gpt-*", "engine", "qwen3-coder", "/v1/chat/completions", "chutes"),
    "codex-messages": Abroad(codex, "gpt-*", "claude", "claude-opus-4-5", "/v1/messages"),
}
MODES = ("open", "keyed", *FOREIGN)
OWN_KEY = "sk-own-0123456789"


def install(directory: Path) -> Path:
    """The clients from npm, once."""
    bin_dir = directory / "node_modules" / ".bin"
    if not all((bin_dir / name).exists() for name in ("claude", "codex")):
        directory.mkdir(parents=True, exist_ok=True)
        print("installing", *PACKAGES, flush=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(directory), *PACKAGES], check=True)
    return bin_dir


def run_client(case: Case, bin_dir: Path, home: Path, url: str, key: str) -> Any:
    work = home / "work"
    work.mkdir(parents=True, exist_ok=True)
    environment = client_environment(home, url, key)
    done = subprocess.run(
        case.command(bin_dir, case.prompt), cwd=work, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    return done.returncode, essence(case, done.stdout)


def uncounted(printed: Any) -> Any:
    """What a client printed without the tokens at its end."""
    status, kept = printed
    return status, kept[:-1]


def unnamed(printed: Any) -> Any:
    """What a client printed without the model that our message of a foreign provider's error names."""
    if isinstance(printed, str):
        return MODEL_NAMED.sub("", printed)
    return type(printed)(map(unnamed, printed)) if isinstance(printed, (list, tuple)) else printed


def model_requests(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["method"] == "POST"]


def compare(
    case: Case, bin_dir: Path, scratch: Path, fake: Provider, through: Gateway, key: str, known: set[str], *, mode: str
) -> list[str]:
    """What differs; empty: nothing."""
    before = len(fake.lines())
    fake.plan(case.scenarios)
    straight = run_client(case, bin_dir, scratch / "straight", fake.url, OWN_KEY)
    middle = len(fake.lines())
    fake.plan(case.scenarios)
    relayed = run_client(case, bin_dir, scratch / "relayed", through.url, key)
    lines = fake.lines()
    problems = []
    if mode in FOREIGN and not case.counted_abroad:
        straight, relayed = uncounted(straight), uncounted(relayed)
    if (unnamed(relayed) if mode in FOREIGN else relayed) != straight:
        problems.append(f"the client printed {relayed}, straight it was {straight}")
    asked = len(model_requests(lines[before:middle])), len(model_requests(lines[middle:]))
    if asked[0] != asked[1]:
        problems.append(f"the provider was asked {asked[1]} times, straight {asked[0]}")
    through_us = model_requests(lines[middle:])
    if mode not in FOREIGN:
        return problems + missing_in_history(through_us, through, known, REQUEST)
    path = FOREIGN[mode].path
    problems += [f"the provider was asked at {line['target']}" for line in through_us if line["target"] != path]
    return problems + missing_in_history(through_us, through, known, ASKED)


def missing_in_history(
    lines: list[dict[str, Any]], through: Gateway, known: set[str], asked: tuple[str, ...]
) -> list[str]:
    """Which of the exchanges the provider saw are not in the history byte for byte. `known`: ids looked at before;
    `asked` chooses what the provider was asked."""
    wait_for(through.is_settled, "everything is stored")
    rows = [row for row in through.history() if row["id"] not in known]
    known.update(row["id"] for row in rows)
    recorded = Counter(
        (raw_digest(through, row, *asked), raw_digest(through, row, "--part", "response")) for row in rows
    )
    wanted = Counter((line["request_sha256"], line["response_sha256"]) for line in lines if line["response_finished"])
    partial = [line for line in lines if not line["response_finished"]]
    requests_only = Counter(digests[0] for digests in recorded.elements())
    problems = [f"not in the history: {digests}" for digests in wanted - recorded]
    problems += [f"no row for a cut exchange: {line['request_sha256']}" for line in partial
                 if not requests_only[line["request_sha256"]]]  # fmt: skip
    return problems


def raw_digest(through: Gateway, row: dict[str, Any], *part: str) -> str:
    return hashlib.sha256(through.manage("history", "raw", row["id"], *part)).hexdigest()


def lead_abroad(through: Gateway, fake: Provider, scratch: Path, abroad: Abroad) -> None:
    document = scratch / "abroad.yaml"
    document.write_text(ABROAD.format(url=fake.url, **abroad._asdict()))
    through.manage("config", "apply", str(document))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("--install-in", type=Path, default=Path(".cache/clients"), help="where the clients are kept")
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--mode", choices=MODES, action="append", help="only this mode; may be said again")
    options = parser.parse_args()
    bin_dir = install(options.install_in.absolute())
    cases = [case for case in CASES if options.only.lower() in case.name.lower()]
    failed = 0
    ran = 0
    for mode in options.mode or MODES:
        with tempfile.TemporaryDirectory() as name, provider(Path(name)) as fake:
            scratch = Path(name)
            keys = scratch / "keys"
            keys.write_text(f"comparison={ACCESS_KEY}\n")
            settings = {}
            if mode == "keyed":
                settings = {
                    "TURNLOG_ACCESS_KEYS_FILE": str(keys),
                    "TURNLOG_ANTHROPIC_KEY": OWN_KEY,
                    "TURNLOG_OPENAI_KEY": OWN_KEY,
                }
            with gateway(scratch, fake.url, free_port(), **settings) as through:
                known: set[str] = set()
                if mode in FOREIGN:
                    lead_abroad(through, fake, scratch, FOREIGN[mode])
                for case in [case for case in cases if mode not in FOREIGN or case.command is FOREIGN[mode].command]:
                    ran += 1
                    key = ACCESS_KEY if mode == "keyed" else OWN_KEY
                    problems = compare(case, bin_dir, scratch, fake, through, key, known, mode=mode)
                    failed += bool(problems)
                    print("FAIL" if problems else "PASS", f"{mode:7}", case.name, flush=True)
                    for problem in problems:
                        print("     ", problem, flush=True)
    print(f"{ran - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
