"""Whether the rows would notice: each promise is broken on purpose, in a copy of the tree, and its row must fail there.

`python -m tests.faults.broken [NAME ...]`. The copy holds what git tracks, with the harm appended to one module. Exit
status 0 when every row named failed by its own condition (and not because nothing ran).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 600.0


@dataclass(frozen=True)
class Harm:
    """`code` goes to the end of `module`; `rows` must fail, and say `because`."""

    name: str
    module: str
    code: str
    row: str
    because: str


HARMS = (
    Harm(
        "no spool flush",
        "gateway/recording/recorder.py",
        "FLUSH_SECONDS = 3600.0\n",
        "R-02",
        "still not: everything is in the history",
    ),
    Harm(
        "a buffered stream",
        "gateway/api/streaming.py",
        """
_one = ExchangeStream.__anext__


async def _all(self):
    parts = []
    while True:
        try:
            parts.append(await _one(self))
        except StopAsyncIteration:
            if parts:
                return b"".join(parts)
            raise


ExchangeStream.__anext__ = _all
""",
        "S-03",
        "event",
    ),
    Harm(
        "a dropped header of the answer",
        "gateway/api/forwarding.py",
        """
_whole = inbound_headers


def inbound_headers(pairs):
    return [pair for pair in _whole(pairs) if pair[0].lower() != b"retry-after"]
""",
        "S-10",
        "retry-after",
    ),
    Harm(
        "a dropped header of the request",
        "gateway/api/forwarding.py",
        """
_sent = outbound_headers


def outbound_headers(*args, **named):
    return [pair for pair in _sent(*args, **named) if pair[0].lower() != b"anthropic-beta"]
""",
        "SEC-12",
        "anthropic-beta",
    ),
    Harm(
        "capture policies that are not asked",
        "gateway/policy/capture.py",
        "CapturePolicies.choose = lambda *asked: None\n",
        "SEC-22",
        "traces",
    ),
)


def copy_tree(target: Path) -> None:
    """What git tracks, as it lies here, beside the same environment."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)
    (target / ".venv").symlink_to(ROOT / ".venv")


def run(harm: Harm) -> tuple[bool, str]:
    """Whether its row failed as it must, and what it said."""
    with tempfile.TemporaryDirectory(prefix="turnlog-broken-") as name:
        tree = Path(name)
        tree.chmod(0o755)
        copy_tree(tree)
        module = tree / harm.module
        module.write_text(module.read_text() + "\n" + harm.code)
        command = [str(ROOT / ".venv/bin/python"), "-m", "tests.faults", "--quick", harm.row]
        environment = os.environ | {"PYTHONPATH": name}
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS
        )
    said = next((line for line in done.stdout.splitlines() if harm.row in line and "FAIL" in line), done.stdout[-400:])
    return done.returncode == 1 and "FAIL" in said and harm.because in said, said.partition(" [kept:")[0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.broken", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(harm.name for harm in HARMS))
    options = parser.parse_args()
    unknown = set(options.names) - {harm.name for harm in HARMS}
    if unknown:
        parser.error(f"there is no harm {', '.join(sorted(unknown))}")
    missed = 0
    for harm in HARMS:
        if options.names and harm.name not in options.names:
            continue
        noticed, said = run(harm)
        missed += not noticed
        sys.stdout.write(f"{'noticed' if noticed else 'MISSED '}  {harm.name}: {said}\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
