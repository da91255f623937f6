"""No label ever holds what a caller or a provider wrote."""

from __future__ import annotations

import pytest

from gateway.dialects.names import Outcome
from gateway.metrics.bounded import KnownModels, attempt_result, endpoint, error_type, status_class

HOSTILE = 'x"} 1\nturnlog_cost_usd_total{model="'
MODELS = KnownModels(["claude-opus-5-5", "qwen3:8b", "gpt-*", ""])


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-5-5-20261101", "claude-opus-5-5"),
        ("claude-opus-5-5[1m]", "claude-opus-5-5"),
        ("qwen3:8b", "qwen3:8b"),
        ("gpt-*", "other"),
        ("my secret project", "other"),
        (HOSTILE, "other"),
        ("", "none"),
        (None, "none"),
    ],
)
def test_a_model_is_one_that_is_configured(said: str | None, label: str) -> None:
    assert MODELS.label(said) == label


def test_the_model_among_labels_is_bounded_and_nothing_else() -> None:
    labels = {"provider": "anthropic", "model": HOSTILE, "state": "open"}
    assert MODELS.labels(labels) == {"provider": "anthropic", "model": "other", "state": "open"}
    assert MODELS.labels({"provider": HOSTILE}) == {"provider": HOSTILE}


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/v1/messages/batches/msgbatch_1/results", "/v1/messages/*"),
        ("/v1/responses/resp_secret", "/v1/responses/*"),
        ("/v1/files/file_1", "/v1/files/*"),
        ("/v1/" + HOSTILE, "other"),
        ("/api/event_logging/batch", "other"),
        ("", "other"),
    ],
)
def test_a_path_is_an_endpoint(path: str, label: str) -> None:
    assert endpoint(path) == label


@pytest.mark.parametrize(
    ("said", "outcome", "status", "label"),
    [
        ("overloaded_error", Outcome.UPSTREAM_ERROR, 529, "overloaded_error"),
        ("rate_limit_exceeded", Outcome.UPSTREAM_ERROR, 429, "rate_limit_exceeded"),
        (HOSTILE, Outcome.UPSTREAM_ERROR, 400, "other"),
        (None, Outcome.CLIENT_DISCONNECTED, 200, "client_disconnected"),
        (None, Outcome.UPSTREAM_ERROR, 502, "status_5xx"),
        (None, Outcome.DENIED, None, "status_none"),
    ],
)
def test_an_error_has_a_known_name(said: str | None, outcome: Outcome, status: int | None, label: str) -> None:
    assert error_type(said, outcome, status) == label


def test_a_status_is_a_class_and_an_attempt_a_phase() -> None:
    assert [status_class(status) for status in (200, 529, 99, 600, None)] == ["2xx", "5xx", "other", "other", "none"]
    assert attempt_result(None, None, 429) == "4xx"
    assert attempt_result("refused", "connect", None) == "connect"
    assert attempt_result("odd", HOSTILE, None) == "other"
