"""The Responses API on either side of a translation."""

from __future__ import annotations

from typing import Final

from gateway.dialects.codec import Codec, StreamEncoder
from gateway.dialects.faults import read_fault
from gateway.dialects.responses.answer_decoder import decode_answer
from gateway.dialects.responses.answer_encoder import encode_answer
from gateway.dialects.responses.request_decoder import decode_request
from gateway.dialects.responses.request_encoder import encode_request
from gateway.dialects.responses.stream_decoder import ResponsesStreamDecoder
from gateway.dialects.responses.stream_encoder import CompactionStreamEncoder, ResponsesStreamEncoder
from gateway.dialects.turn import Request


def stream_encoder(request: Request) -> StreamEncoder:
    return CompactionStreamEncoder(request) if request.compact else ResponsesStreamEncoder(request)


CODEC: Final = Codec(
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decode_error=read_fault,
    decode_stream=ResponsesStreamDecoder,
    encode_stream=stream_encoder,
)
