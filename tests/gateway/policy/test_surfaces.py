"""Which API a path belongs to, and what a wrong base URL looks like."""

from __future__ import annotations

import pytest

from gateway.dialects.names import Dialect
from gateway.policy.surfaces import dialect_of, right_base_url

A, C, R, O = Dialect.ANTHROPIC, Dialect.CHAT, Dialect.RESPONSES, Dialect.OPENAI  # noqa: E741
VERSION = [(b"anthropic-version", b"2023-06-01")]
API_KEY = [(b"x-api-key", b"k")]
ANT = [(b"authorization", b"Bearer sk-ant-oat01-x")]
SK = [(b"authorization", b"Bearer sk-proj-x")]
OURS = [(b"authorization", b"Bearer tl_x")]
PROJECT = [(b"openai-project", b"p"), *OURS]

CASES = [
    ("/v1/messages", [], A),
    ("/v1/messages", SK, A),
    ("/v1/messages/count_tokens", [], A),
    ("/v1/messages/batches/abc/results", [], A),
    ("/v1/complete", [], A),
    ("/v1/organizations/usage_report/messages", [], A),
    ("/v1/chat/completions", ANT, C),
    ("/v1/chat/completions/abc/messages", [], C),
    ("/v1/responses", VERSION, R),
    ("/v1/responses/resp_1/input_items", [], R),
    ("/v1/embeddings", [], O),
    ("/v1/images/generations", [], O),
    ("/v1/batches", [], O),
    ("/v1/vector_stores/vs_1/files", [], O),
    ("/v1/models", VERSION, A),
    ("/v1/models", API_KEY, A),
    ("/v1/models", ANT, A),
    ("/v1/models", SK, O),
    ("/v1/models", OURS, O),
    ("/v1/models", [*OURS, *VERSION], A),
    ("/v1/models", PROJECT, O),
    ("/v1/models", [], A),
    ("/v1/models/claude-x", VERSION, A),
    ("/v1/files", [(b"anthropic-beta", b"files-api-2025-04-14")], A),
    ("/v1/files", SK, O),
    ("/v1/something-new", [], A),
    ("/v1/something-new", OURS, A),
    ("/v1/something-new", SK, O),
    ("/v1/something-new", VERSION, A),
]


@pytest.mark.parametrize(("path", "headers", "expected"), CASES)
def test_dialect_of_path(path: str, headers: list[tuple[bytes, bytes]], expected: Dialect) -> None:
    assert dialect_of(path, headers) is expected


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/messages", "/"),
        ("/chat/completions", "/"),
        ("/v1/v1/messages", "/v1"),
        ("/anthropic/v1/messages", "/anthropic"),
        ("/v1/v1/messages/count_tokens", "/v1"),
        ("//v1/messages", "/"),
        ("/openai/responses/", "/openai"),
        ("/favicon.ico", None),
        ("/", None),
    ],
)
def test_wrong_base_urls_are_recognised(path: str, base: str | None) -> None:
    assert right_base_url(path) == base
