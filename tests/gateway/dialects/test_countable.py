"""What of a request counts as tokens, and what an image or a page comes to."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.countable import MOST_OF_IMAGE, TOKENS_OF_PAGE, countable, tokens_of_image
from gateway.dialects.image_size import image_size
from gateway.dialects.names import Dialect
from gateway.dialects.turn import (
    ByURL,
    Document,
    Image,
    Inline,
    InlineText,
    Message,
    OutputFormat,
    ProviderTool,
    Request,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))


def jpeg(width: int, height: int) -> bytes:
    table = b"\xff\xdb" + struct.pack(">H", 67) + bytes(65)
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)
    return b"\xff\xd8\xff\xe0\x00\x04ab" + table + b"\xff" + frame


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(8)


def webp_extended(width: int, height: int) -> bytes:
    edges = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + edges


def webp_lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return b"RIFF\0\0\0\0WEBPVP8L" + struct.pack("<I", 5) + b"\x2f" + struct.pack("<I", bits)


def webp_lossy(width: int, height: int) -> bytes:
    return b"RIFF\0\0\0\0WEBPVP8 " + struct.pack("<I", 20) + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)


@pytest.mark.parametrize("make", [png, jpeg, gif, webp_extended, webp_lossless, webp_lossy])
def test_an_images_size_is_read_from_its_head(make: object) -> None:
    data = make(1000, 750)  # type: ignore[operator]
    assert image_size(data) == (1000, 750)
    assert image_size(data[:9]) is None


@given(st.binary(max_size=200))
def test_any_bytes_have_a_size_or_none(data: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"RIFF\0\0\0\0WEBP"):
        size = image_size(head + data)
        assert size is None or min(size) > 0


@pytest.mark.parametrize(
    ("image", "tokens"),
    [
        (Image(Inline("image/png", base64.b64encode(png(1000, 750)).decode())), 1000),
        (Image(Inline("image/png", base64.b64encode(png(1, 1)).decode())), 1),
        (Image(Inline("image/png", base64.b64encode(png(8000, 8000)).decode())), MOST_OF_IMAGE),
        (Image(Inline("image/png", base64.b64encode(png(8000, 800)).decode())), 328),
        (Image(Inline("image/png", "not base64 ä")), MOST_OF_IMAGE),
        (Image(ByURL("https://x/y.png")), MOST_OF_IMAGE),
    ],
)
def test_an_image_costs_what_its_size_says_and_the_most_where_it_says_nothing(image: Image, tokens: int) -> None:
    assert tokens_of_image(image) == tokens


def test_everything_a_model_reads_is_counted() -> None:
    pdf = io.BytesIO(b"%PDF /Type /Page x /Type/Pages y /Type/Page").getvalue()
    image = Image(ByURL("https://x/y.png"))
    request = Request(
        "m",
        (
            Message(
                Role.USER,
                (Text("question"), image, Document(Inline("application/pdf", base64.b64encode(pdf).decode()))),
            ),
            Message(Role.ASSISTANT, (Thinking("thought"), ToolCall("c", "call", '{"a":1}'))),
            Message(
                Role.USER, (ToolResult("c", (Text("result"), image)), Document(InlineText("document"), title="title"))
            ),
        ),
        system=(Text("system"),),
        tools=(Tool("tool", "description", '{"type":"object"}'), ProviderTool(Dialect.ANTHROPIC, "web", '{"raw":1}')),
        output_format=OutputFormat("json_schema", '{"out":1}'),
    )
    counted = countable(request)
    assert counted.texts == [
        "system", "question", "thought", "call", '{"a":1}', "result", "title", "document", "tool", "description",
        '{"type":"object"}', '{"raw":1}', '{"out":1}',
    ]  # fmt: skip
    assert counted.tokens == 3 * 3 + 2 * 5 + 2 * MOST_OF_IMAGE + 2 * TOKENS_OF_PAGE
