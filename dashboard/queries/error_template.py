"""An error message with what varies taken out, so that messages of one cause are told as one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

LOOKED_AT: Final = 1_000
LONGEST: Final = 200
LONG: Final = 32
"""Characters: a longer quotation or path is taken to vary, a shorter one to name what is meant."""
WORDS_KNOWN: Final = 4_096

QUOTED: Final = re.compile(r""""[^"]*"|`[^`]*`|'(?<!\w')[^']*'(?!\w)""")
MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PATH: Final = re.compile(rf"""(://[^\s/"'`]+|(?<![\w/\\]))([/\\])(?![/\\])[^\s"'`<>(){{}}\[\],;]{{{LONG},}}(?<![.:])""")
NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"  # a UUID
    r"|[0-9]+(?:[.,:][0-9]+)*(?:(?:ms|[hms])[0-9]+(?:\.[0-9]+)?)*(?:ms|[hms])?(?![0-9A-Za-z])"  # 1,024 or 1m2.5s
    r"|(?=[A-Za-z]*[0-9])[0-9A-Za-z]{8,}|[0-9a-f]{8,}(?![0-9A-Za-z]))"  # what an id ends with, and hex
    r"|[0-9]+(?:[.,:][0-9]+)*"
)


def template_of(message: str) -> str:
    """The message in one line: `#` for numbers and ids, `…` for mail addresses and for what is long and quoted or in
    a path. Never longer than the message, and the template of a template is itself."""
    text = message[:LOOKED_AT]
    # What is taken out may have kept something else from being seen. It ends: each turn leaves less, or fewer digits.
    while (left := without_variables(text)) != text:
        text = left
        if len(text) < LONGEST and not QUOTED.search(text):
            break  # nothing but its words is left, and they are done
    return text


def without_variables(text: str) -> str:
    words = QUOTED.sub(shortened, text).split()
    text = " ".join([word_template(word) for word in words])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def shortened(quoted: re.Match[str]) -> str:
    text = quoted[0]
    return text if len(text) <= LONG + 2 else f"{text[0]}…{text[-1]}"


@lru_cache(WORDS_KNOWN)
def word_template(word: str) -> str:
    left = MAIL.sub("…", word) if "@" in word else word
    if "/" in left or "\\" in left:
        left = PATH.sub(r"\1\2…", left)
    left = NUMBER.sub("#", left)
    return left if left == word else word_template(left)
