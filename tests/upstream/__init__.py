"""A scriptable fake model provider that speaks both dialects and misbehaves on request."""

from tests.upstream.exchange import Exchange, SeenRequest, SentResponse
from tests.upstream.provider import FakeProvider

__all__ = ["Exchange", "FakeProvider", "SeenRequest", "SentResponse"]
