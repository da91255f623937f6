"""Secrets become fingerprints by their name or by their looks; what people need to read stays readable."""

from __future__ import annotations

import time

import pytest

from gateway.policy.redaction import Redactor, is_secret_name, looks_like_key

PEPPER = b"pepper for tests, long enough to be one"

SECRET_HEADERS = {
    "an authorization": (b"Authorization", b"Bearer anything"),
    "an Anthropic key": (b"x-api-key", b"short"),
    "a cookie": (b"Cookie", b"a=b"),
    "a cookie being set": (b"set-cookie", b"__cf_bm=abc; path=/"),
    "a proxy's credential": (b"Proxy-Authorization", b"Basic dXNlcjpwYXNz"),
    "our own key": (b"x-turnlog-key", b"abc"),
    "a name with underscores": (b"x_auth_thing", b"abc"),
    "a name that runs the word together": (b"X-ApiKey", b"abc"),
    "a signature": (b"x-amz-signature", b"abc"),
    "a csrf token": (b"X-CSRF-Token", b"abc"),
    "a JWT header": (b"cf-access-jwt-assertion", b"abc"),
    "an Anthropic key under a harmless name": (b"x-team", b"sk-ant-api03-abcdefghijkl-XYZ"),
    "an OpenAI key inside other text": (b"x-note", b"my key is sk-proj-abcdefgh12345678 thanks"),
    "a GitHub token": (b"x-thing", b"ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    "a Slack token": (b"x-thing", b"xoxb-1234567890-abcdefghij"),
    "an AWS access id": (b"x-thing", b"AKIAIOSFODNN7EXAMPLE"),
    "a JWT": (b"x-thing", b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
    "a bearer value": (b"x-thing", b"Bearer abcdefghijkl"),
    "long random text": (b"x-thing", b"q9Zr4LkT0sVx2WbN7mHcP5dYfE8uJgA1oRiQ3tKs"),
    "long hexadecimal text": (b"x-thing", b"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    "a password in an address": (b"referer", b"https://user:hunter2hunter2@example.com/"),
}
HARMLESS_HEADERS = {
    "betas": (
        b"anthropic-beta",
        b"claude-code-20250219,interleaved-thinking-2025-05-14,per-turn-control-2026-07-01,"
        b"mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,effort-2025-11-24",
    ),
    "a version": (b"anthropic-version", b"2023-06-01"),
    "SDK facts": (b"X-Stainless-Runtime-Version", b"v26.12.1"),
    "a count of tokens left": (b"anthropic-ratelimit-input-tokens-remaining", b"40000"),
    "a time of reset": (b"anthropic-ratelimit-tokens-reset", b"2026-11-21T09:00:00Z"),
    "the unified family": (b"anthropic-ratelimit-unified-5h-utilization", b"0.25"),
    "OpenAI's limits": (b"x-ratelimit-remaining-tokens", b"149984"),
    "a session id": (b"X-Claude-Code-Session-Id", b"0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77"),
    "an agent id": (b"x-claude-code-agent-id", b"a0123456789abcdef"),
    "a request id": (b"request-id", b"req_011CSHoEeqs5C35K2UUqR7Fy"),
    "an organization": (b"openai-organization", b"org-AbCdEfGh1234567890IjKlMn"),
    "a trace": (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    "a user agent": (b"User-Agent", b"claude-cli/2.1.329 (external, sdk-cli)"),
    "codings": (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    "a ray": (b"cf-ray", b"8f0a1b2c3d4e5f60-FRA"),
    "a task's name": (b"x-project", b"task-scheduler-rewrite"),
    "Codex's turn": (
        b"x-codex-turn-metadata",
        b'{"session_id":"0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77","sandbox":"none"}',
    ),
}


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(PEPPER)


@pytest.mark.parametrize("pair", SECRET_HEADERS.values(), ids=SECRET_HEADERS.keys())
def test_a_secret_header_keeps_its_name_and_loses_its_value(redactor: Redactor, pair: tuple[bytes, bytes]) -> None:
    [(name, value)] = redactor.headers([pair])
    assert name == pair[0]
    assert b"fp:" in value
    assert pair[1].split()[-1] not in value


@pytest.mark.parametrize("pair", HARMLESS_HEADERS.values(), ids=HARMLESS_HEADERS.keys())
def test_a_harmless_header_stays_as_it_is(redactor: Redactor, pair: tuple[bytes, bytes]) -> None:
    assert redactor.headers([pair]) == [pair]


def test_the_same_key_has_the_same_fingerprint_wherever_it_is_sent(redactor: Redactor) -> None:
    key = b"sk-ant-api03-abcdefghijkl"
    pairs = redactor.headers(
        [(b"x-api-key", key), (b"Authorization", b"Bearer " + key), (b"authorization", b"bearer " + key)]
    )
    fingerprint = pairs[0][1]
    assert fingerprint == redactor.fingerprint(key)
    assert len(fingerprint) == len("fp:") + 16
    assert pairs[1][1] == b"Bearer " + fingerprint
    assert pairs[2][1] == b"bearer " + fingerprint


def test_a_fingerprint_depends_on_the_pepper(redactor: Redactor) -> None:
    assert redactor.fingerprint(b"key") != Redactor(b"another pepper").fingerprint(b"key")


def test_order_case_and_duplicates_are_kept(redactor: Redactor) -> None:
    pairs = [(b"B", b"1"), (b"a", b"2"), (b"B", b"1"), (b"b", b"3")]
    assert redactor.headers(pairs) == pairs


def test_a_harmless_pair_seen_before_does_not_shield_a_secret(redactor: Redactor) -> None:
    redactor.headers([(b"x-team", b"sky")] * 3)
    assert b"fp:" in redactor.headers([(b"x-team", b"sk-ant-api03-abcdefghijkl")])[0][1]


QUERIES = {
    "no query": ("", ""),
    "a harmless parameter": ("beta=true&limit=1000", "beta=true&limit=1000"),
    "a key by name": ("key=abc&beta=true", "key={abc}&beta=true"),
    "a key by name, run together": ("apiKey=abc", "apiKey={abc}"),
    "a key by its looks": ("x=sk-ant-api03-abcdefgh", "x={sk-ant-api03-abcdefgh}"),
    "a percent-encoded name": ("%6bey=abc", "%6bey={abc}"),
    "a percent-encoded value": ("x=sk%2dant-api03-abcdefgh", "x={sk-ant-api03-abcdefgh}"),
    "a key that is the whole query": ("sk-ant-api03-abcdefgh", "{sk-ant-api03-abcdefgh}"),
    "an empty value": ("token=&a=1", "token=&a=1"),
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.values(), ids=QUERIES.keys())
def test_secret_parameters_of_a_query_become_fingerprints(redactor: Redactor, query: str, expected: str) -> None:
    before, brace, rest = expected.partition("{")
    if brace:
        secret, _, after = rest.partition("}")
        expected = before + redactor.fingerprint(secret.encode()).decode() + after
    assert redactor.query(query) == expected


def test_the_query_of_an_address_in_a_header_is_redacted_too(redactor: Redactor) -> None:
    [(_, value)] = redactor.headers([(b"Referer", b"https://example.com/x?token=abc&page=2")])
    assert value == b"https://example.com/x?token=" + redactor.fingerprint(b"abc") + b"&page=2"


@pytest.mark.parametrize("name", ["tokens", "x-ratelimit-tokens", "monetary", "x-keynote", "authority"])
def test_words_that_only_resemble_a_secret_are_harmless(name: str) -> None:
    assert not is_secret_name(name)


def test_short_values_are_no_keys() -> None:
    assert not looks_like_key(b"sk-1")


def test_redacting_a_usual_request_is_cheap(redactor: Redactor) -> None:
    template = [*list(HARMLESS_HEADERS.values())[:15]]
    template += [(b"authorization", b"Bearer sk-ant-api03-abcdefghijkl")]
    redactor.headers(template)
    best = min(
        timed(redactor, [(bytes(bytearray(name)), bytes(bytearray(value))) for name, value in template])
        for _ in range(200)
    )
    # 10 microseconds are the aim; the margin is for machines that are slow or busy.
    assert best < 100e-6


def timed(redactor: Redactor, pairs: list[tuple[bytes, bytes]]) -> float:
    began = time.perf_counter()
    redactor.headers(pairs)
    return time.perf_counter() - began
