"""What of a request counts as tokens: the texts to be counted, and what the rest comes to by rule.

The rules are estimates, and what is counted by them is told as one: an image costs what its size says
(width x height / 750, as Anthropic counts), or the most one can cost where that is unknown; a page of a PDF what its
text and its picture usually come to; a message and a tool some tokens of framing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.dialects.image_size import image_size
from gateway.dialects.turn import (
    Document,
    Image,
    Inline,
    InlineText,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)

TOKENS_OF_MESSAGE: Final = 3
TOKENS_OF_TOOL: Final = 5
MOST_OF_IMAGE: Final = 1600
PIXELS_OF_TOKEN: Final = 750
LONGEST_EDGE: Final = 1568
"""Larger images are scaled down to it before they are looked at."""
TOKENS_OF_PAGE: Final = 2000
_IMAGE_HEAD: Final = 256 * 1024
_PAGE: Final = re.compile(rb"/Type\s*/Page\b")


class Countable(NamedTuple):
    """`tokens` are to be added to what the texts come to."""

    texts: list[str]
    tokens: int


def countable(request: Request) -> Countable:
    count = _Count()
    count.add(request.system)
    for message in request.messages:
        count.tokens += TOKENS_OF_MESSAGE
        count.add(message.content)
    for tool in request.tools:
        count.tokens += TOKENS_OF_TOOL
        if isinstance(tool, Tool):
            count.texts += filter(None, (tool.name, tool.description, tool.schema))
        else:
            count.texts.append(tool.raw)
    if request.output_format is not None and request.output_format.schema:
        count.texts.append(request.output_format.schema)
    return Countable(count.texts, count.tokens)


class _Count:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.tokens = 0

    def add(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._add_part(part)

    def _add_part(self, part: Part) -> None:
        if isinstance(part, Text | Thinking | Refusal):
            self.texts.append(part.text)
        elif isinstance(part, ToolCall):
            self.texts += (part.name, part.arguments)
        elif isinstance(part, ToolResult):
            self.add(part.content)
        elif isinstance(part, Image):
            self.tokens += tokens_of_image(part)
        elif isinstance(part, Document):
            self._add_document(part)
        else:
            self.texts.append(part.raw)

    def _add_document(self, document: Document) -> None:
        self.texts += filter(None, (document.title, document.context))
        source = document.source
        if isinstance(source, InlineText):
            self.texts.append(source.text)
        elif isinstance(source, Inline):
            self.tokens += TOKENS_OF_PAGE * max(1, len(_PAGE.findall(_decoded(source.data))))
        else:
            self.tokens += TOKENS_OF_PAGE


def tokens_of_image(image: Image) -> int:
    if not isinstance(image.source, Inline):
        return MOST_OF_IMAGE
    size = image_size(_decoded(image.source.data[:_IMAGE_HEAD]))
    if size is None:
        return MOST_OF_IMAGE
    width, height = size
    scale = min(1.0, LONGEST_EDGE / max(width, height, 1))
    return max(1, min(MOST_OF_IMAGE, round(width * height * scale * scale / PIXELS_OF_TOKEN)))


def _decoded(data: str) -> bytes:
    """The bytes in base64, as far as they can be read."""
    try:
        return base64.b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""
