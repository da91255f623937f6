"""Patterns of names: `*` stands for any text, `?` for one character; everything else for itself."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache


def is_pattern(match: str) -> bool:
    return "*" in match or "?" in match


def fits(match: str, text: str) -> bool:
    return match == text or (is_pattern(match) and pattern(match).fullmatch(text) is not None)


@lru_cache(maxsize=4096)
def pattern(match: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(match.replace("[", "[[]")))
