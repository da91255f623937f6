"""Chat Completions on either side of a translation."""

from __future__ import annotations

from typing import Final

from gateway.dialects.chat.answer import decode_answer, encode_answer
from gateway.dialects.chat.request_decoder import decode_request
from gateway.dialects.chat.request_encoder import encode_request
from gateway.dialects.chat.stream_decoder import ChatStreamDecoder
from gateway.dialects.chat.stream_encoder import ChatStreamEncoder
from gateway.dialects.codec import Codec
from gateway.dialects.faults import read_fault

CODEC: Final = Codec(
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decode_error=read_fault,
    decode_stream=ChatStreamDecoder,
    encode_stream=ChatStreamEncoder,
)
