"""What clients put into what a person says: elements of their own, told from the words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

INJECTED: Final = (
    "system-reminder", "local-command-caveat", "local-command-stdout", "command-message", "command-name",
    "command-args", "bash-input", "bash-stdout", "bash-stderr", "task-notification", "ide_opened_file",
    "ide_selection", "environment_context", "user_instructions",
)  # fmt: skip
"""Elements that clients put into what a person says."""
OPENING: Final = re.compile(f"<({'|'.join(INJECTED)})>")


def segments(text: str) -> Iterator[tuple[str, str]]:
    """(the element a client put in, or nothing; its text), in order and without what is only space."""
    at = 0
    for opening in OPENING.finditer(text):
        if opening.start() < at:
            continue
        closing = f"</{opening[1]}>"
        end = text.find(closing, opening.end())
        if end < 0:
            break
        if text[at : opening.start()].strip():
            yield "", text[at : opening.start()].strip("\n")
        yield opening[1], text[opening.end() : end].strip("\n")
        at = end + len(closing)
    if text[at:].strip():
        yield "", text[at:].strip("\n") if at else text
