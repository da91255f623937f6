"""The codec of each dialect that conversations are translated from and to."""

from __future__ import annotations

from typing import Final

from gateway.dialects.anthropic.codec import CODEC as ANTHROPIC
from gateway.dialects.chat.codec import CODEC as CHAT
from gateway.dialects.codec import Codec
from gateway.dialects.names import Dialect
from gateway.dialects.responses.codec import CODEC as RESPONSES

CODECS: Final[dict[Dialect, Codec]] = {
    Dialect.ANTHROPIC: ANTHROPIC,
    Dialect.CHAT: CHAT,
    Dialect.RESPONSES: RESPONSES,
}
