"""How Claude is asked to think by callers of OpenAI's APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import DEFAULT_PROFILE

ADAPTIVE: dict[str, Any] = {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "wish", "thinking"),
    [
        ("claude-opus-5-5", {"effort": "high"}, ADAPTIVE),
        ("claude-opus-5-5", {"effort": "high", "summary": "auto"}, ADAPTIVE | {"display": "summarized"}),
        ("claude-opus-4-5", {"effort": "low", "summary": "auto"}, {"type": "enabled", "budget_tokens": 4096}),
        ("claude-opus-5-5", {"effort": "none", "summary": "auto"}, None),
    ],
)
def test_thoughts_are_shown_to_who_asked_for_a_summary(model: str, wish: Any, thinking: Any) -> None:
    body = {"model": model, "input": "Why?", "reasoning": wish}
    request = CODECS[Dialect.RESPONSES].decode_request(json.dumps(body).encode())
    asked = json.loads(CODECS[Dialect.ANTHROPIC].encode_request(request, DEFAULT_PROFILE).body)
    assert asked.get("thinking") == thinking
