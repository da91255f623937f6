"""What a caller was told, made again from what was recorded."""

from __future__ import annotations

import pytest

from gateway.dialects.names import Dialect
from gateway.dialects.told import Asked, Got, tell

ASKED = Asked(
    Dialect.ANTHROPIC,
    Dialect.CHAT,
    "vllm",
    "/v1/messages",
    b'{"model":"claude-x","messages":[{"role":"user","content":"Hi"}]}',
    "t",
)
FAILED = Got(503, "application/json", "", b'{"error":{"message":"The engine is overloaded"}}')


@pytest.mark.parametrize("model", [None, "qwen3-coder"])
def test_a_failure_names_the_model_that_was_asked(model: str | None) -> None:
    _, failed = tell(ASKED._replace(model=model), FAILED)
    assert failed is not None
    assert failed.message == f"The engine is overloaded (model {model or 'claude-x'})"
