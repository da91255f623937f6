"""Text that leaves the house: keys, passwords, addresses of people and names of home folders taken out.

The view is redacted, never what is stored. In doubt a passage is taken out: who needs it can look at the history.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.policy.redaction import KEY_SHAPES, LONG_RUN, is_random

KEY, PASSWORD, EMAIL, PERSON, NAMED = "[key]", "[password]", "[e-mail]", "[user]", "[redacted]"

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_CREDENTIALS: Final = re.compile(r"(://[^/\s@:]*:)[^/\s@]+(?=@)")
_SHAPES: Final = re.compile(f"(?:{KEY_SHAPES.pattern.decode('latin-1')})[A-Za-z0-9._~+/=-]*")
_RUN: Final = re.compile(LONG_RUN.pattern.decode("latin-1"))
_ASSIGNED: Final = re.compile(
    r"""(?ix)
    ( [\w.-]{0,60} (?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)
      [\w.-]{0,60} ["']? \s{0,4} (?:=>|:=|[:=]) \s{0,4} )
    (?: "(?P<double>[^"\n]{3,})" | '(?P<single>[^'\n]{3,})' | (?P<bare>[^\s"',;(){}\[\]]{6,}) )
    """
)
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_HOME: Final = re.compile(r"((?:/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2}))([^/\\\s\"':;,<>|]{1,64})")


@dataclass(slots=True)
class TextRedactor:
    """Counts what it replaced. `names` are further words to take out, such as customers' names, in any case."""

    names: Iterable[str] = ()
    replaced: int = 0

    def text(self, text: str) -> str:
        for pattern, replace in self._rules():
            text = pattern.sub(replace, text)
        return text

    def _rules(self) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
        rules: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
            (_PRIVATE_KEY, lambda found: self._count(KEY)),
            (_CREDENTIALS, lambda found: found[1] + self._count(PASSWORD)),
            (_SHAPES, self._shape),
            (_ASSIGNED, self._assigned),
            (_RUN, self._run),
            (_EMAIL, lambda found: self._count(EMAIL)),
            (_HOME, lambda found: found[1] + self._count(PERSON)),
        ]
        words = [re.escape(name) for name in self.names if name]
        if words:
            rules.append((re.compile("|".join(words), re.IGNORECASE), lambda found: self._count(NAMED)))
        return rules

    def _shape(self, found: re.Match[str]) -> str:
        # Of an address with a password in it only that was taken out, just before.
        return found[0] if found[0].startswith("://") else self._count(KEY)

    def _assigned(self, found: re.Match[str]) -> str:
        value = found["double"] or found["single"] or found["bare"]
        if value.startswith("["):
            return found[0]
        before, _, after = found[0][len(found[1]) :].partition(value)
        return found[1] + before + self._count(PASSWORD) + after

    def _run(self, found: re.Match[str]) -> str:
        return self._count(KEY) if is_random(found[0].encode("ascii")) else found[0]

    def _count(self, marker: str) -> str:
        self.replaced += 1
        return marker
