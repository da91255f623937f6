"""What a process loads, and what it does without."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from proxy_project.absences import absent, in_place_of

ROOT = Path(__file__).parents[1]
UNUSED = ("rich", "pygments", "twisted", "greenlet", "tiktoken", "watchfiles", "django.test", "jinja2")
LOADED = f"""
import sys
import proxy_project.asgi, httpx, gateway.upstream.tokenizer
print(*(name for name in {UNUSED} if sys.modules.get(name)))
import rich, pygments, greenlet, django.test, jinja2
from django.core.signals import setting_changed
assert django.test.signals.setting_changed is setting_changed
"""


def test_what_nothing_here_uses_is_not_loaded_and_can_be_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_what_is_loaded_stays_when_its_absence_ends() -> None:
    before = sys.modules["json"]
    with absent("json", "nothing.of.that.name"):
        assert sys.modules["json"] is before
    assert sys.modules["json"] is before
    assert "nothing.of.that.name" not in sys.modules


def test_a_module_stands_in_for_another_only_meanwhile_and_never_for_one_that_is_loaded() -> None:
    before = sys.modules["json.decoder"]
    with in_place_of("json.decoder", JSONDecoder=None), in_place_of("nothing.of.that.name", thing=1):
        assert sys.modules["json.decoder"] is before
        assert importlib.import_module("nothing.of.that.name").thing == 1
    assert "nothing.of.that.name" not in sys.modules
