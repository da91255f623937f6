"""Secrets in text, by the shapes keys have. Pure, and linear in the length of the text (RE2).

What is found is where and of which kind, never the secret itself. Text that only looks random is left alone: prompts of
coding agents are full of hashes and ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Spotted:
    """Characters [start, end) of a text, and what stands there."""

    start: int
    end: int
    kind: str
    severity: Severity


SHAPES: Final[tuple[tuple[str, Severity, str], ...]] = (
    (
        "private key",
        Severity.HIGH,
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)",
    ),
    ("Anthropic key", Severity.HIGH, r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    ("Turnlog key", Severity.HIGH, r"\btl_[A-Za-z0-9]{32,}"),
    ("OpenAI or similar key", Severity.HIGH, r"\bsk-(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    ("Stripe key", Severity.HIGH, r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("AWS key id", Severity.HIGH, r"\bA[KS]IA[0-9A-Z]{16}\b"),
    ("GitHub token", Severity.HIGH, r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{22,})"),
    ("GitLab token", Severity.HIGH, r"\bglpat-[\w-]{20,}"),
    ("Slack token", Severity.HIGH, r"\b(?:xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,})"),
    ("Google key", Severity.HIGH, r"\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,})"),
    (
        "npm, PyPI or Hugging Face token",
        Severity.HIGH,
        r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|hf_[A-Za-z0-9]{30,})",
    ),
    ("password in an address", Severity.HIGH, r"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@\"']{1,100}:[^/\s@\"'$<{\[]{3,200}@"),
    ("JSON web token", Severity.MEDIUM, r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    ("bearer token", Severity.MEDIUM, r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{20,}=*"),
    (
        "password or key in a setting",
        Severity.MEDIUM,
        r"(?i)\b[\w.-]{0,40}(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token)[\"']?"
        r"\s{0,3}[:=]\s{0,3}(?:\"[^\"\s$<{\[(]{8,200}\"|'[^'\s$<{\[(]{8,200}')",
    ),
)


def find_secrets(text: str) -> list[Spotted]:
    """In the order of the text; where two shapes overlap, the first of SHAPES that fits counts."""
    sieve, shapes = compiled()
    # Over bytes: RE2 counts characters of a str by decoding what lies before each match.
    data = text.encode("utf-8", "replace")
    if sieve.search(data) is None:
        return []
    found: list[tuple[int, int, str, Severity]] = []
    for kind, severity, pattern in shapes:
        for start, end in spans(pattern, data):
            if all(end <= other[0] or start >= other[1] for other in found):
                found.append((start, end, kind, severity))
    return list(in_characters(data, sorted(found)))


def spans(pattern: Any, data: bytes) -> Iterator[tuple[int, int]]:
    """Of what matches and is not empty."""
    for match in pattern.finditer(data):
        start, end = match.span()
        if end > start:
            yield start, end


def in_characters(data: bytes, found: list[tuple[int, int, str, Severity]]) -> Iterator[Spotted]:
    """`found` in rising order, by bytes."""
    at = characters = 0
    for start, end, kind, severity in found:
        characters += len(data[at:start].decode("utf-8", "ignore"))
        length = len(data[start:end].decode("utf-8", "ignore"))
        yield Spotted(characters, characters + length, kind, severity)
        characters, at = characters + length, end


@lru_cache(maxsize=1)
def compiled() -> tuple[Any, tuple[tuple[str, Severity, Any], ...]]:
    """One pattern that says whether there is anything, and each by itself."""
    sieve = compile_text("|".join(f"(?:{source})" for _, _, source in SHAPES))
    return sieve, tuple((kind, severity, compile_text(source)) for kind, severity, source in SHAPES)


def compile_text(source: str) -> Any:
    """An RE2 pattern over UTF-8 bytes. Raises ValueError with RE2's own words."""
    # Takes memory that a process without patterns need not spend.
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(source.encode("utf-8"), options)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(words) from None
