"""Claude Code's gateway contract, clause by clause: what a client sends arrives, what a provider says comes back.

Each test is named after its clause. What only gateways with accounts can meet (sign-in, budgets, managed settings,
usage-limit headers of their own) is not here.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.conftest import ADA_KEY, ANTHROPIC_KEY
from tests.e2e.processes import WebProcess, last_request, last_response
from tests.e2e.wire import Answer, Pairs, Wire, ask
from tests.transcripts.captured import Exchange, exchanges
from tests.upstream import FakeProvider

CLIENT: Pairs = [
    (b"Accept", b"application/json"),
    (b"Authorization", b"Bearer sk-ant-oat01-developer"),
    (b"Content-Type", b"application/json"),
    (b"User-Agent", b"claude-cli/2.1.329 (external, cli)"),
    (b"anthropic-version", b"2023-06-01"),
    (b"x-app", b"cli"),
]
BODY = b'{"model":"claude-opus-4-5","messages":[],"stream":true}'


def message(web: WebProcess, extra: Pairs = [], body: bytes = BODY, path: str = "/v1/messages?beta=true") -> Answer:  # noqa: B006
    return ask(web, "POST", path, [*CLIENT, *extra], body)


REQUEST_HEADERS: dict[str, tuple[bytes, bytes]] = {
    "anthropic-version of today": (b"anthropic-version", b"2023-06-01"),
    "a long list of betas, unknown ones among them": (
        b"anthropic-beta",
        b"claude-code-20250219,interleaved-thinking-2025-05-14,never-heard-of-2099-01-01,oauth-2025-04-20",
    ),
    "the workspace": (b"anthropic-workspace-id", b"wrkspc_1"),
    "an unknown anthropic header": (b"anthropic-something-new", b"1"),
    "an unknown claude code header": (b"x-claude-code-something-new", b"1"),
    "the session": (b"x-claude-code-session-id", b"3b1c2f1e-0000-4000-8000-000000000000"),
    "the agent": (b"x-claude-code-agent-id", b"a0123456789abcdef"),
    "the parent agent": (b"x-claude-code-parent-agent-id", b"a0123456789abcdee"),
    "the prompt": (b"x-claude-code-prompt-id", b"3b1c2f1e-0000-4000-8000-000000000001"),
    "the request class": (b"x-claude-code-request-class", b"main"),
    "the first-party class": (b"x-claude-1p-request-class", b"main"),
    "the settings' checksum": (b"x-claude-code-managed-settings-checksum", b"abc"),
    "the client's request id": (b"x-client-request-id", b"3b1c2f1e-0000-4000-8000-000000000002"),
    "a stainless header": (b"x-stainless-retry-count", b"0"),
    "a custom header": (b"X-Team", b"search"),
    "the trace": (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    "browser access": (b"anthropic-dangerous-direct-browser-access", b"true"),
    "accepted codings": (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
}


@pytest.mark.parametrize("header", REQUEST_HEADERS.values(), ids=REQUEST_HEADERS)
def test_2_request_headers_are_forwarded(web: WebProcess, provider: FakeProvider, header: tuple[bytes, bytes]) -> None:
    assert message(web, [header]).status == 200
    assert last_request(provider).header(header[0].decode()) == header[1]


def test_1_the_path_alone_is_matched_and_the_query_kept(web: WebProcess, provider: FakeProvider) -> None:
    message(web, path="/v1/messages?beta=true&anything=else")
    assert last_request(provider).target == b"/v1/messages?beta=true&anything=else"


BODIES: dict[str, dict[str, Any]] = {
    "adaptive thinking": {"thinking": {"type": "adaptive", "display": "updates"}},
    "context editing": {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
    "effort and structured output": {"output_config": {"effort": "high", "format": {"type": "json_schema"}}},
    "tool search": {"tools": [{"name": "DeferredToolPlaceholder", "defer_loading": True, "strict": True}]},
    "safeguards": {"safeguards": [{"working_folder": "/src"}]},
    "request tags": {"tags": {"team": "search"}},
    "an attribution block": {
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.abc;"}]
    },
    "a system turn in mid-conversation": {"messages": [{"role": "system", "content": "x", "output_config": {}}]},
    "one hour of cache": {
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    },
    "a field nobody knows": {"brand_new": {"a": [1, None, 1.5e400 > 1]}},
}


@pytest.mark.parametrize("fields", BODIES.values(), ids=BODIES)
def test_3_bodies_are_forwarded_byte_for_byte(web: WebProcess, provider: FakeProvider, fields: dict[str, Any]) -> None:
    body = json.dumps({"model": "claude-opus-4-5", **fields}, indent=1).encode()
    assert message(web, body=body).status == 200
    assert last_request(provider).body == body


@pytest.mark.parametrize("exchange", exchanges(), ids=str)
def test_3_real_requests_arrive_as_they_were_sent(web: WebProcess, provider: FakeProvider, exchange: Exchange) -> None:
    headers = [
        (name, value)
        for name, value in exchange.request_headers
        if name.lower() not in (b"host", b"content-length", b"connection")
    ]
    answer = ask(web, "POST", exchange.path, headers, exchange.request_body)
    seen = last_request(provider)
    assert answer.body == last_response(provider).body
    assert (seen.target, seen.body) == (exchange.path.encode(), exchange.request_body)
    names = [name.lower() for name, _ in headers]
    assert [(name.lower(), value) for name, value in seen.headers if name.lower() in names] == [
        (name.lower(), value) for name, value in headers
    ]


WORDINGS = [
    "prompt is too long: 250000 tokens > 200000 maximum",
    "capability_rejected: prompt_too_long",
    "Input is too long.",
    "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000",
    "context_management: Extra inputs are not permitted",
    "output_config.effort: Extra inputs are not permitted",
    "Unexpected value(s) `never-heard-of` for the `anthropic-beta` header",
    "safeguards: Extra inputs are not permitted",
]


@pytest.mark.parametrize("wording", WORDINGS)
def test_4_wordings_that_trigger_recovery_come_through(
    web: WebProcess, keyed_web: WebProcess, provider: FakeProvider, wording: str
) -> None:
    scenario = (b"x-scenario", f"error;status=400;text={quote(wording)}".encode())
    for gateway, key in ((web, "sk-ant-x"), (keyed_web, ADA_KEY)):
        answer = ask(gateway, "POST", "/v1/messages", [(b"x-api-key", key.encode()), scenario], BODY)
        assert answer.status == 400
        assert answer.body == last_response(provider).body
        assert json.loads(answer.body)["error"]["message"] == wording


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529])
def test_4_error_statuses_stay_what_they_are(web: WebProcess, provider: FakeProvider, status: int) -> None:
    scenario = f"error;status={status};retry_after=11;should_retry=false".encode()
    answer = message(web, [(b"x-scenario", scenario)])
    assert (answer.status, answer.body) == (status, last_response(provider).body)
    assert (answer.header(b"retry-after"), answer.header(b"x-should-retry")) == (b"11", b"false")
    assert answer.header(b"request-id") == dict(last_response(provider).headers)[b"request-id"]
    assert len(provider.requests) == 1


def test_4_rate_limit_headers_and_request_id_come_through(web: WebProcess, provider: FakeProvider) -> None:
    answer = message(web)
    sent = [(name.lower(), value) for name, value in last_response(provider).headers]
    wanted = [pair for pair in sent if pair[0].startswith(b"anthropic-ratelimit-") or pair[0] == b"request-id"]
    assert len(wanted) > 5
    assert [pair for pair in answer.pairs if pair in wanted] == wanted


@pytest.mark.parametrize("scenario", ["comments", "unknown_events", "crlf", "hop_by_hop"])
def test_4_comments_and_unknown_events_are_relayed(web: WebProcess, provider: FakeProvider, scenario: str) -> None:
    answer = message(web, [(b"x-scenario", scenario.encode())])
    assert answer.status == 200
    assert answer.body == last_response(provider).body


def test_4_pings_are_relayed(web: WebProcess, provider: FakeProvider) -> None:
    answer = message(web)
    assert answer.body.count(b"event: ping\n") == last_response(provider).body.count(b"event: ping\n") > 0


def test_4_no_event_is_added_to_a_stream(web: WebProcess, provider: FakeProvider) -> None:
    answer = message(web, [(b"x-scenario", b"slow;ms=30;events=20")])
    assert answer.body == last_response(provider).body
    assert answer.header(b"content-encoding") is None


def test_5_either_credential_header_is_taken_on_every_route(keyed_web: WebProcess, provider: FakeProvider) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches", "/v1/files"):
        for credential in ((b"authorization", b"Bearer " + ADA_KEY.encode()), (b"x-api-key", ADA_KEY.encode())):
            headers: Pairs = [(b"anthropic-version", b"2023-06-01"), credential]
            ask(keyed_web, "POST", path, headers, b"{}")
            seen = last_request(provider)
            assert seen.target == path.encode()
            assert seen.header("x-api-key") == ANTHROPIC_KEY.encode()
            assert seen.header("authorization") is None


def test_5_a_subscription_login_travels_through(web: WebProcess, provider: FakeProvider) -> None:
    message(web, [(b"anthropic-beta", b"oauth-2025-04-20")])
    seen = last_request(provider)
    assert seen.header("authorization") == b"Bearer sk-ant-oat01-developer"
    assert seen.header("anthropic-beta") == b"oauth-2025-04-20"


def test_5_our_401_is_final(keyed_web: WebProcess, provider: FakeProvider) -> None:
    answer = message(keyed_web)
    assert (answer.status, answer.header(b"x-should-retry")) == (401, b"false")
    assert json.loads(answer.body)["error"]["type"] == "authentication_error"
    assert not provider.requests


def test_5_prompts_with_markup_are_not_inspected(web: WebProcess, provider: FakeProvider) -> None:
    body = b'{"model":"m","x":"<script>alert(1)</script> \' OR 1=1; <!DOCTYPE x [<!ENTITY y SYSTEM \\"file:///\\">]>"}'
    assert message(web, body=body).status == 200
    assert last_request(provider).body == body


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models?limit=1000", "/", "/api/hello", "/v1/messages/", "/v1"])
def test_5_nothing_is_redirected(web: WebProcess, provider: FakeProvider, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        if (method, path) == ("GET", "/"):
            continue
        assert ask(web, method, path, CLIENT, b"{}" if method == "POST" else b"").status // 100 != 3


def test_6_model_discovery_is_relayed(keyed_web: WebProcess, provider: FakeProvider) -> None:
    headers: Pairs = [(b"authorization", b"Bearer " + ADA_KEY.encode()), (b"anthropic-version", b"2023-06-01")]
    answer = ask(keyed_web, "GET", "/v1/models?limit=1000", headers)
    seen = last_request(provider)
    assert (seen.target, seen.header("x-api-key")) == (b"/v1/models?limit=1000", ANTHROPIC_KEY.encode())
    assert all({"id", "display_name"} <= set(model) for model in json.loads(answer.body)["data"])


def test_12_25_counts_at_once_are_all_answered(web: WebProcess, provider: FakeProvider) -> None:
    wires = [Wire(web) for _ in range(25)]
    try:
        for wire in wires:
            wire.request("POST", b"/v1/messages/count_tokens?beta=true", CLIENT, b'{"model":"m","messages":[]}')
        assert [wire.answer().status for wire in wires] == [200] * 25
    finally:
        for wire in wires:
            wire.socket.close()
