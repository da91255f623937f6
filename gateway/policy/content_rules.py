"""What texts are watched for: secrets, attempts to take an agent over, and patterns of one's own. Pure.

A rule observes what was stored (in the worker), alerts, or refuses a request before it goes out. What it refuses by is
the newest text of the request alone: what an agent sends again every turn was looked at when it was new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from gateway.policy.patterns import fits
from gateway.policy.secret_shapes import Severity, Spotted, compile_text, find_secrets, in_characters, spans

MOST_FOUND: Final = 100
"""Of one rule in one text."""
INJECTION: Final = (
    r"(?i)\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+)?(?:of\s+)?(?:the\s+|your\s+|my\s+)?"
    r"(?:previous|prior|above|earlier|preceding|former)\s+(?:instructions?|prompts?|rules|messages|directions|context)",
    r"(?i)\b(?:reveal|print|show|repeat|output|leak)\s+(?:me\s+)?(?:your|the)\s+(?:hidden\s+|full\s+|entire\s+|original\s+)?"
    r"(?:system\s+prompt|system\s+message|initial\s+instructions)",
    r"(?i)\byou\s+are\s+(?:now|no\s+longer)\s+(?:in\s+)?(?:dan\b|developer\s+mode|jailbroken|unrestricted|bound\s+by)",
    r"(?i)\b(?:do\s+not|don't|never)\s+(?:tell|inform|mention(?:\s+this)?\s+to|alert|warn)\s+the\s+(?:user|human|developer)",
    r"(?i)\bnew\s+(?:system\s+)?instructions?\s*:\s*(?:you|ignore|from\s+now)",
    r"(?i)<\s*/?\s*(?:system|im_start|im_end)\s*\|?\s*>\s*(?:you\s+(?:are|must)|ignore)",
    r"<\|im_start\|>\s*system",
    # Letters nobody sees, in which instructions are hidden (Unicode tags).
    "[\U000e0020-\U000e007e]{8,}",
    r"(?i)\b(?:curl|wget)\b[^\n|]{0,200}(?:\$\(\s*env\s*\)|printenv|\.env\b|id_rsa|\.aws/credentials)",
)


class Detector(StrEnum):
    SECRETS = "secrets"
    PROMPT_INJECTION = "prompt_injection"
    PATTERNS = "patterns"


class ContentAction(StrEnum):
    OBSERVE = "observe"
    ALERT = "alert"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ContentRule:
    """Empty scopes: everybody. `patterns` are RE2, for the detector of that name. `message` is added to a refusal."""

    name: str
    detector: Detector
    action: ContentAction = ContentAction.OBSERVE
    severity: Severity = Severity.MEDIUM
    """Of what is found; secrets have one of their own."""
    patterns: tuple[str, ...] = ()
    teams: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    message: str = ""
    compiled: tuple[Any, ...] = field(default=(), repr=False, compare=False)

    def is_for(self, team: str, key: str, model: str) -> bool:
        return (
            (not self.teams or team in self.teams)
            and (not self.keys or any(fits(match, key) for match in self.keys))
            and (not self.models or any(fits(match, model) for match in self.models))
        )

    def find(self, text: str) -> list[Spotted]:
        """In the order of the text, at most MOST_FOUND, without overlaps."""
        if self.detector is Detector.SECRETS:
            return find_secrets(text)[:MOST_FOUND]
        kind = "prompt injection" if self.detector is Detector.PROMPT_INJECTION else self.name
        data = text.encode("utf-8", "replace")
        found: list[tuple[int, int, str, Severity]] = []
        end = 0
        for start, stop in sorted(span for pattern in self.compiled for span in spans(pattern, data)):
            if start >= end and len(found) < MOST_FOUND:
                found.append((start, stop, kind, self.severity))
                end = stop
        return list(in_characters(data, found))

    def is_in(self, text: str) -> bool:
        if self.detector is Detector.SECRETS:
            return bool(find_secrets(text))
        data = text.encode("utf-8", "replace")
        return any(pattern.search(data) is not None for pattern in self.compiled)


@dataclass(frozen=True, slots=True)
class RefusingRules:
    """Those of the snapshot that refuse; there is none where nobody wants that."""

    rules: tuple[ContentRule, ...]

    def about(self, team: str, key: str, model: str) -> Sequence[ContentRule]:
        return [rule for rule in self.rules if rule.is_for(team, key, model)]


def refusal_sentence(rule: ContentRule) -> str:
    what = {
        Detector.SECRETS: "it holds what looks like a key or a password",
        Detector.PROMPT_INJECTION: "it holds words that try to give an agent other orders",
        Detector.PATTERNS: "it holds what this rule looks for",
    }[rule.detector]
    ask = f" {rule.message}" if rule.message else " Take it out, or ask whoever runs this gateway."
    return f"The content rule {rule.name} does not let this message go to a provider: {what}.{ask}"


@lru_cache(maxsize=256)
def compile_all(detector: Detector, patterns: tuple[str, ...]) -> tuple[Any, ...]:
    """Raises ValueError, naming the pattern."""
    sources = {Detector.PATTERNS: patterns, Detector.PROMPT_INJECTION: INJECTION}.get(detector, ())
    return tuple(compiled_or_named(source) for source in sources)


def compiled_or_named(source: str) -> Any:
    try:
        pattern = compile_text(source)
    except ValueError as error:
        raise ValueError(f"{source!r} is no pattern of RE2: {error}") from None
    if pattern.search(b"") is not None:
        raise ValueError(f"{source!r} fits a text without a letter, and so every text")
    return pattern
