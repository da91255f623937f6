"""What headers say of clients, sessions and limits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.client_headers import (
    ClientFacts,
    identify_client,
    organization_id,
    rate_limits,
    read_client,
    read_traceparent,
    upstream_request_id,
)
from tests.transcripts.captured import exchange

AGENTS = {
    "claude-cli/2.1.329 (external, sdk-cli)": ("claude-code", "2.1.329"),
    "claude-cli/2.1.197 (external, cli)": ("claude-code", "2.1.197"),
    "claude-code/2.1.329": ("claude-code", "2.1.329"),
    "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)": ("codex", "0.169.0"),
    "codex_cli_rs/0.98.0": ("codex", "0.98.0"),
    "Anthropic/Python 2.11.0": ("anthropic-python", "2.11.0"),
    "AsyncAnthropic/Python 2.11.0": ("anthropic-python", "2.11.0"),
    "OpenAI/Python 3.52.0": ("openai-python", "3.52.0"),
    "AsyncOpenAI/Python 3.52.0": ("openai-python", "3.52.0"),
    "Anthropic/JS 0.128.0": ("anthropic-js", "0.128.0"),
    "OpenAI/JS 6.1.0": ("openai-js", "6.1.0"),
    "curl/8.5.0": ("curl", "8.5.0"),
    "Bun/1.3.2": ("bun", "1.3.2"),
    "Mozilla/5.0 (X11; Linux)": ("mozilla", "5.0"),
    "my-script": ("my-script", ""),
    "": ("", ""),
    "\u00ff\u00fe": ("", ""),
}


@pytest.mark.parametrize(("user_agent", "expected"), AGENTS.items(), ids=[agent or "none" for agent in AGENTS])
def test_the_client_behind_a_user_agent(user_agent: str, expected: tuple[str, str]) -> None:
    assert identify_client(user_agent) == expected


def test_a_captured_subagent_of_claude_code() -> None:
    facts = read_client(exchange("claude_subagents-3").request_headers)
    assert facts.session_id == "00000000-0000-4000-8000-000000000001"
    assert facts.agent_id == "aad3042cc7935191e"
    assert facts.parent_agent_id is None
    assert (facts.client, facts.client_version) == ("claude-code", "2.1.329")
    assert facts.user_agent == "claude-cli/2.1.329 (external, sdk-cli)"
    assert facts.content_type == "application/json"
    assert facts.betas[0] == "claude-code-20250219"
    assert len(facts.betas) == 9


def test_a_captured_turn_of_codex() -> None:
    facts = read_client(exchange("codex_shell_tool-1").request_headers)
    ids = "00000000-0000-4000-8000-00000000000"
    assert facts.session_id == facts.thread_id == facts.client_request_id == ids + "1"
    assert (facts.turn_id, facts.window_id) == (ids + "3", ids + "1:0")
    assert (facts.agent_id, facts.parent_agent_id) == (None, None)
    assert (facts.client, facts.client_version) == ("codex", "0.169.0")


def test_the_hints_of_claude_code() -> None:
    facts = read_client(
        [
            (b"X-CLAUDE-CODE-SESSION-ID", b"s"),
            (b"x-claude-code-agent-id", b"a1"),
            (b"x-claude-code-parent-agent-id", b"a0"),
            (b"x-claude-code-prompt-id", b"p"),
            (b"x-claude-code-request-class", b"main"),
            (b"x-client-request-id", b"r"),
        ]
    )
    assert facts == ClientFacts("s", "a1", "a0", "p", "main", "r")


def test_a_subagent_of_codex_keeps_its_name_and_its_parent() -> None:
    turn = json.dumps({"session_id": "s", "turn_id": "u", "agent_name": "/lead/x"}).encode()
    headers = [
        (b"session-id", b"s"),
        (b"thread-id", b"t"),
        (b"x-codex-parent-thread-id", b"p"),
        (b"x-codex-turn-metadata", turn),
    ]
    facts = read_client([*headers, (b"x-openai-subagent", b"review")])
    assert (facts.session_id, facts.thread_id, facts.turn_id) == ("s", "t", "u")
    assert (facts.agent_id, facts.parent_agent_id) == ("review", "p")
    assert read_client(headers).agent_id == "/lead/x"
    assert read_client(headers[:2] + headers[3:]).agent_id is None, "the main agent has a name too"


def test_betas_of_all_headers_add_up_in_order() -> None:
    facts = read_client([(b"anthropic-beta", b"a, b,,"), (b"Anthropic-Beta", b"c")])
    assert facts.betas == ("a", "b", "c")


@pytest.mark.parametrize("metadata", [b"{", b"[1]", b'{"turn_id":5}', b'{"turn_id":"\\ud800"', b"\xff"])
def test_broken_turn_metadata_is_no_turn(metadata: bytes) -> None:
    assert read_client([(b"x-codex-turn-metadata", metadata)]).turn_id is None


def test_without_headers_everything_is_unknown() -> None:
    assert read_client([]) == ClientFacts()
    assert read_client([(b"session-id", b" ")]).session_id is None


def test_bytes_that_are_not_utf8_are_read_as_latin1() -> None:
    assert read_client([(b"User-Agent", b"caf\xe9/1")]).user_agent == "caf\xe9/1"


names = st.sampled_from([b"user-agent", b"x-codex-turn-metadata", b"anthropic-beta", b"x-ratelimit-x", b"session-id"])


@given(st.lists(st.tuples(st.one_of(names, st.binary(max_size=12)), st.binary(max_size=24))))
def test_arbitrary_headers_never_raise(headers: list[tuple[bytes, bytes]]) -> None:
    read_client(headers)
    rate_limits(headers)
    organization_id(headers)
    upstream_request_id(headers)


LIMITS = {
    "Anthropic-Ratelimit-Requests-Remaining": "3999",
    "anthropic-ratelimit-unified-5h-utilization": "0.0",
    "anthropic-ratelimit-a-family-of-tomorrow": "x",
    "x-ratelimit-reset-tokens": "6m0s",
    "x-ratelimit-limit-project-tokens": "-1",
    "x-codex-primary-used-percent": "12",
    "x-codex-secondary-reset-at": "1795233790",
    "x-codex-credits-has-credits": "true",
    "x-codex-limit-name": "n",
    "x-codex-bengalfox-primary-used-percent": "1",
    "x-gpt-6-secondary-window-minutes": "300",
    "x-gpt-6-limit-name": "GPT-6",
}
NO_LIMITS = [
    "x-codex-turn-state",
    "x-codex-turn-metadata",
    "x-codex-window-id",
    "retry-after",
    "x-request-id",
    "primary-key",
    "x-primary-key",
    "anthropic-organization-id",
    "x-stainless-retry-count",
]


@pytest.mark.parametrize("name", LIMITS)
def test_is_a_limit(name: str) -> None:
    assert rate_limits([(name.encode(), LIMITS[name].encode())]) == [(name.lower(), LIMITS[name])]


@pytest.mark.parametrize("name", NO_LIMITS)
def test_is_no_limit(name: str) -> None:
    assert rate_limits([(name.encode(), b"1")]) == []


def test_the_limits_of_captured_answers() -> None:
    claude, codex = exchange("claude_bash_tool-1").response_headers, exchange("codex_resume-1").response_headers
    assert dict(rate_limits(claude))["anthropic-ratelimit-unified-7d-utilization"] == "0.17"
    assert len(rate_limits(claude)) == 19
    assert dict(rate_limits(codex))["x-ratelimit-reset-requests"] == "6ms"
    assert len(rate_limits(codex)) == 6


def test_ids_of_captured_answers() -> None:
    claude, codex = exchange("claude_bash_tool-1").response_headers, exchange("codex_resume-1").response_headers
    assert organization_id(claude) == "00000000-0000-4000-8000-000000000001"
    assert upstream_request_id(claude) == "req_011Cbbf323c9be6746368fef"
    assert organization_id(codex) == "org-fake"
    assert upstream_request_id(codex) == "req_909bbd39025c4067b33b0ec73444e406"
    assert organization_id([]) is None
    assert upstream_request_id([(b"cf-ray", b"x")]) is None


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENTS = {
    "sampled": (f"00-{TRACE}-{SPAN}-01", True),
    "not sampled": (f"00-{TRACE}-{SPAN}-00", True),
    "a later version that says more": (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be", True),
    "version 00 that says more": (f"00-{TRACE}-{SPAN}-01-more", False),
    "no version": (f"ff-{TRACE}-{SPAN}-01", False),
    "a later version, run on": (f"cc-{TRACE}-{SPAN}-01.more", False),
    "no trace": (f"00-{'0' * 32}-{SPAN}-01", False),
    "no span": (f"00-{TRACE}-{'0' * 16}-01", False),
    "capitals": (f"00-{TRACE.upper()}-{SPAN}-01", False),
    "too short": (f"00-{TRACE[1:]}-{SPAN}-01", False),
    "a line's end": (f"00-{TRACE}-{SPAN}-01\n", False),
    "markup": (f"00-<script>alert(1)</script>-{SPAN}-01", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize("name", TRACEPARENTS)
def test_a_trace_is_taken_as_the_standard_has_it_or_not_at_all(name: str) -> None:
    value, fits = TRACEPARENTS[name]
    assert read_traceparent(value)[:2] == ((TRACE, SPAN) if fits else (None, None))


@pytest.mark.parametrize(
    ("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True), ("0g", None)]
)
def test_the_last_bit_of_its_flags_says_whether_it_is_recorded(flags: str, sampled: bool | None) -> None:
    assert read_traceparent(f"00-{TRACE}-{SPAN}-{flags}")[2] is sampled


def test_the_trace_of_a_request() -> None:
    facts = read_client([(b"Traceparent", f" 00-{TRACE}-{SPAN}-01".encode())])
    assert (facts.trace_id, facts.parent_span_id) == (TRACE, SPAN)
