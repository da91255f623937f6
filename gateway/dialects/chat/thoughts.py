"""Thoughts that stand in the text itself, between <think> tags, as engines give them that do not take them out.

Only a tag at the very beginning of an answer is meant as one: further on the model may be writing about tags. A lone
closing tag, whose opening one stood in the engine's template, is taken out once.
"""

from __future__ import annotations

from typing import Final

OPENING: Final = "<think>"
CLOSING: Final = "</think>"


def held_back(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the beginning of `tag`."""
    start = text.rfind("<", max(0, len(text) - len(tag) + 1))
    return len(text) - start if start >= 0 and tag.startswith(text[start:]) else 0


class ThoughtTags:
    """Splits an answer's text into thoughts and words, however it is cut. `plain`: nothing is left to be found.
    `holds`: what is held back because it may become a tag."""

    def __init__(self) -> None:
        self.plain = False
        self._read = self._read_start
        self.holds = ""

    def split(self, text: str) -> list[tuple[bool, str]]:
        """Pieces of what is now decided: (whether it is a thought, text). None is empty."""
        found: list[tuple[bool, str]] = []
        text, self.holds = self.holds + text, ""
        while text:
            text = self._read(text, found)
        return found

    def finish(self) -> list[tuple[bool, str]]:
        """What was held back, which is no tag after all."""
        held, self.holds = self.holds, ""
        return [(self._read == self._read_thought, held)] if held else []

    def _read_start(self, text: str, found: list[tuple[bool, str]]) -> str:
        words = text.lstrip()
        if words.startswith(OPENING):
            self._read = self._read_thought
            return words[len(OPENING) :].lstrip("\n")
        if OPENING.startswith(words):
            self.holds = text
            return ""
        self._read = self._read_words
        return text

    def _read_thought(self, text: str, found: list[tuple[bool, str]]) -> str:
        end = text.find(CLOSING)
        if end < 0:
            self._hold(text, found, thought=True)
            return ""
        if thought := text[:end]:
            found.append((True, thought))
        self._read = self._read_gap
        return text[end + len(CLOSING) :]

    def _read_gap(self, text: str, found: list[tuple[bool, str]]) -> str:
        words = text.lstrip()
        if words:
            self.plain = True
            self._read = self._read_rest
        return words

    def _read_words(self, text: str, found: list[tuple[bool, str]]) -> str:
        end, opening = text.find(CLOSING), text.find(OPENING)
        if opening >= 0 and not 0 <= end < opening:
            self.plain = True  # the answer is about tags
            self._read = self._read_rest
            return text
        if end < 0:
            self._hold(text, found, thought=False)
            return ""
        if words := text[:end]:
            found.append((False, words))
        self.plain = True
        self._read = self._read_rest
        return text[end + len(CLOSING) :]

    def _read_rest(self, text: str, found: list[tuple[bool, str]]) -> str:
        found.append((False, text))
        return ""

    def _hold(self, text: str, found: list[tuple[bool, str]], *, thought: bool) -> None:
        keep = held_back(text, CLOSING) if thought else max(held_back(text, CLOSING), held_back(text, OPENING))
        if decided := text[: len(text) - keep]:
            found.append((thought, decided))
        self.holds = text[len(text) - keep :]
