"""Say which functions, methods and classes nothing uses, by vulture.

Variables and attributes are left out: rows' fields are read by SQL and templates, which vulture does not see. What
settings, migrations and templates name counts as used.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from vulture.config import make_config
from vulture.core import Vulture

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("class", "function", "method", "property", "import", "unreachable_code")
NAMED_BY = ("proxy_project/settings.py", "gateway/migrations/*.py", "**/templates/**/*.html")


def unused(root: Path) -> list[str]:
    """A line for each thing nothing uses."""
    config = make_config([])
    finder = Vulture(ignore_names=config["ignore_names"], ignore_decorators=config["ignore_decorators"])
    finder.scavenge([str(root / path) for path in config["paths"]], exclude=config["exclude"])
    named = names_elsewhere(root)
    return [
        f"{item.filename.relative_to(root)}:{item.first_lineno}: unused {item.typ} {item.name}"
        for item in finder.get_unused_code(min_confidence=config["min_confidence"])
        if item.typ in KINDS and item.name not in named
    ]


def names_elsewhere(root: Path) -> set[str]:
    words: set[str] = set()
    for pattern in NAMED_BY:
        for path in root.glob(pattern):
            if ".venv" not in path.parts:
                words.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return words


if __name__ == "__main__":
    found = unused(ROOT)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(bool(found))
