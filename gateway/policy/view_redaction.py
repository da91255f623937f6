"""Parts of stored text that are not shown. Pure: what is stored, sent and relayed never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.dialects.said_text import is_encoded
from gateway.policy.content_rules import Detector
from gateway.policy.content_rules import compile_all as compile_patterns
from gateway.policy.secret_shapes import Severity, find_secrets, in_characters, spans

NESTING: Final = 64


@dataclass(frozen=True, slots=True)
class RedactionRule:
    """No teams: in what everybody said. `revealed_by` are roles."""

    name: str
    patterns: tuple[str, ...] = ()
    secrets: bool = False
    teams: frozenset[str] = frozenset()
    revealed_by: frozenset[str] = frozenset()

    def is_about(self, team: str) -> bool:
        return not self.teams or team in self.teams

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Of what it hides, in characters."""
        found = [(each.start, each.end) for each in find_secrets(text)] if self.secrets else []
        for pattern in compile_patterns(Detector.PATTERNS, self.patterns):
            data = text.encode("utf-8", "replace")
            hits = [(start, end, "", Severity.LOW) for start, end in spans(pattern, data)]
            found += [(each.start, each.end) for each in in_characters(data, hits)]
        return found


class Curtain:
    """Hides what some rules hide."""

    def __init__(self, rules: Sequence[RedactionRule], tell: Callable[[str], object] = str) -> None:
        """`tell` is given the name of each rule that hides something."""
        self.rules = rules
        self._tell = tell

    def text(self, text: str) -> str:
        """The text with each hidden passage as `[hidden: NAME]`; the same object where nothing is hidden."""
        hidden = sorted((start, end, rule.name) for rule in self.rules for start, end in rule.spans(text))
        if not hidden:
            return text
        pieces, at = [], 0
        for start, end, name in hidden:
            if end <= at:
                continue
            if start >= at:
                pieces += [text[at:start], f"[hidden: {name}]"]
                self._tell(name)
            at = end
        return "".join((*pieces, text[at:]))

    def value(self, value: Any, depth: int = NESTING) -> Any:
        """A JSON value with the same done to each of its strings, keys as well; base64 of pictures is left alone."""
        if isinstance(value, str):
            return value if is_encoded(value) else self.text(value)
        if depth <= 0:
            return value if not isinstance(value, list | dict) else self.text(str(value))
        if isinstance(value, list):
            return [self.value(item, depth - 1) for item in value]
        if isinstance(value, dict):
            encoded = value.get("type") == "base64"
            return {
                self.text(key): item if encoded and key == "data" else self.value(item, depth - 1)
                for key, item in value.items()
            }
        return value
