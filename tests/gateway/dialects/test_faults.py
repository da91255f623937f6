"""Providers' errors, in their own words and shapes: kind, status, and the wording by which clients recover."""

from __future__ import annotations

import json

import pytest

from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import read_failure, read_fault

TOO_LONG = {
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 150000 tokens.": (
        150_000,
        128_000,
    ),
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.": (5000, 4096),
    "The input (150000 tokens) is longer than the model's context length (131072 tokens).": (150_000, 131_072),
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it": (5000, 4096),
    "Requested tokens (600) exceed context window of 512": (600, 512),
    "prompt has 5213 tokens, but the model context is 2048": (5213, 2048),
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).": (1_200_000, 1_048_576),
    "Please reduce the length. Current length is 9,000 while limit is 8,192": (9000, 8192),
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens (139000 of "
    "text input, 1000 in the output).": (139_000, 131_072),
}
SUM_TOO_LONG = {
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, "
    "1000 in the completion).": (4000, 1000, 4096),
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 8192 tokens "
    "and your request has 100 input tokens (32000 > 8192 - 100).": (100, 32_000, 8192),
    "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of 40000 "
    "tokens: 30000 tokens from the input messages and 10000 tokens for the completion.": (30_000, 10_000, 32_768),
}


def openai(message: str, **more: object) -> bytes:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", **more}}).encode()


@pytest.mark.parametrize("said", TOO_LONG)
def test_a_prompt_that_is_too_long_is_said_in_anthropics_words(said: str) -> None:
    prompt, limit = TOO_LONG[said]
    failed = read_fault(400, "application/json", openai(said))
    assert failed.kind is ErrorKind.CONTEXT_LENGTH
    assert failed.message.startswith(f"prompt is too long: {prompt} tokens > {limit} maximum. {said}")


@pytest.mark.parametrize("said", SUM_TOO_LONG)
def test_input_and_output_too_long_together_are_said_so(said: str) -> None:
    prompt, output, limit = SUM_TOO_LONG[said]
    failed = read_fault(400, "application/json", openai(said))
    words = f"input length and `max_tokens` exceed context limit: {prompt} + {output} > {limit}"
    assert failed.kind is ErrorKind.CONTEXT_LENGTH
    assert failed.message.startswith(words)
    assert said in failed.message


def test_llama_cpp_says_its_numbers_in_fields() -> None:
    body = {"error": {"code": 400, "message": "the request exceeds the available context size. try increasing it",
                      "type": "exceed_context_size_error", "n_prompt_tokens": 70, "n_ctx": 64}}  # fmt: skip
    failed = read_fault(400, "application/json", json.dumps(body).encode())
    assert failed.message.startswith("prompt is too long: 70 tokens > 64 maximum.")


def test_a_code_alone_tells_that_the_context_is_too_long() -> None:
    failed = read_fault(400, "application/json", openai("Too much.", code="context_length_exceeded"))
    assert (failed.kind, failed.status) == (ErrorKind.CONTEXT_LENGTH, 400)
    assert failed.message.startswith("prompt is too long. Too much.")


SHAPES = {
    "OpenAI's envelope": (b'{"error":{"message":"no","type":"x"}}', "no"),
    "Anthropic's envelope": (b'{"type":"error","error":{"type":"api_error","message":"no"}}', "no"),
    "flat, as vLLM once did": (b'{"object":"error","message":"no","type":"BadRequestError","code":400}', "no"),
    "a bare sentence": (b'{"error":"no"}', "no"),
    "FastAPI's detail": (b'{"detail":"no"}', "no"),
    "FastAPI's list of details": (b'{"detail":[{"loc":["body","x"],"msg":"no"},{"msg":"never"}]}', "no; never"),
    "Google's list": (b'[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]', "no"),
    "half of a surrogate pair": (b'{"error":{"message":"no \\ud83d"}}', "no \ufffd"),
}


@pytest.mark.parametrize(("body", "message"), SHAPES.values(), ids=SHAPES)
def test_an_error_is_found_in_whatever_shape(body: bytes, message: str) -> None:
    failed = read_fault(400, "application/json", body)
    assert (failed.kind, failed.message.replace("\ud83d", "\ufffd"), failed.status) == (
        ErrorKind.INVALID_REQUEST,
        message,
        400,
    )


PAGES = {
    "HTML": (b"<html>\n  <h1>Bad gateway</h1></html>", "text/html", "It begins: <html> <h1>Bad gateway</h1></html>"),
    "nothing": (b"", "", "It is empty."),
    "a long page": (b"x" * 5000, "text/plain", "It begins: " + "x" * 200),
}


@pytest.mark.parametrize(("body", "kind", "said"), PAGES.values(), ids=PAGES)
def test_what_is_no_json_is_told_by_its_type_and_beginning(body: bytes, kind: str, said: str) -> None:
    failed = read_fault(502, kind, body)
    assert failed.kind is ErrorKind.API_ERROR
    assert failed.message.endswith(said)
    assert (kind or "no content type") in failed.message


KINDS = {
    (429, "Rate limit reached", "rate_limit_exceeded"): ErrorKind.RATE_LIMIT,
    (429, "You exceeded your current quota", "insufficient_quota"): ErrorKind.BILLING,
    (402, "Insufficient Balance", ""): ErrorKind.BILLING,
    (403, "insufficient credits on this account", ""): ErrorKind.BILLING,
    (401, "Incorrect API key provided", "invalid_api_key"): ErrorKind.AUTHENTICATION,
    (404, "The model does not exist", "model_not_found"): ErrorKind.NOT_FOUND,
    (500, "The engine is currently overloaded", ""): ErrorKind.OVERLOADED,
    (503, "try later", ""): ErrorKind.UNAVAILABLE,
    (529, "Overloaded", "overloaded_error"): ErrorKind.OVERLOADED,
    (418, "teapot", ""): ErrorKind.INVALID_REQUEST,
}


@pytest.mark.parametrize("said", KINDS)
def test_the_kind_is_read_from_status_code_and_words(said: tuple[int, str, str]) -> None:
    status, message, code = said
    body = json.dumps({"error": {"message": message, "code": code or None}}).encode()
    assert read_fault(status, "application/json", body).kind is KINDS[said]


def test_an_error_inside_a_200_takes_its_status_from_its_code() -> None:
    assert read_failure({"error": {"message": "no", "code": 429}}).status == 429
    assert read_failure({"error": {"message": "no", "code": "502"}}).status == 502
    assert read_failure({"error": {"message": "no", "code": "other"}}).status is None
