"""Anthropic Messages on either side of a translation."""

from __future__ import annotations

from typing import Final

from gateway.dialects.anthropic.answer import decode_answer, encode_answer
from gateway.dialects.anthropic.request_decoder import decode_request
from gateway.dialects.anthropic.request_encoder import encode_request
from gateway.dialects.anthropic.stream_decoder import MessagesStreamDecoder
from gateway.dialects.anthropic.stream_encoder import MessagesStreamEncoder
from gateway.dialects.codec import Codec
from gateway.dialects.faults import read_fault

CODEC: Final = Codec(
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decode_error=read_fault,
    decode_stream=MessagesStreamDecoder,
    encode_stream=MessagesStreamEncoder,
)
