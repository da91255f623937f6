"""What a process loads, and what it does without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from proxy_project.absences import absent

UNUSED = ("rich", "pygments", "twisted", "greenlet", "tiktoken")
LOADED = f"""
import sys
import proxy_project.logs, httpx, gateway.upstream.tokenizer
print(*(name for name in {UNUSED} if name in sys.modules))
import rich, pygments, greenlet
"""


def test_what_nothing_here_uses_is_not_loaded_and_can_be_all_the_same() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=root, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_what_is_loaded_stays_when_its_absence_ends() -> None:
    before = sys.modules["json"]
    with absent("json", "there.is.no.such.module"):
        assert sys.modules["json"] is before
    assert sys.modules["json"] is before
    assert "there.is.no.such.module" not in sys.modules
