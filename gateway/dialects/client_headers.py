"""What the headers of a request and of its answer say: who is talking, in which session, and within which limits.

Header pairs are bytes as they came on the wire; values are read as latin-1, which fits any byte, names without case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.dialects.json_values import JSONObject, NotJSONError, fit_text, object_or_none, read_json

HeaderPairs = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What a client says of itself. None: it did not say."""

    session_id: str | None = None
    agent_id: str | None = None
    """Claude Code's id of a subagent, or the name of Codex's."""
    parent_agent_id: str | None = None
    """Claude Code's id of the agent that started this one, or the thread that started Codex's."""
    prompt_id: str | None = None
    request_class: str | None = None
    client_request_id: str | None = None
    thread_id: str | None = None
    turn_id: str | None = None
    window_id: str | None = None
    trace_id: str | None = None
    """W3C Trace Context: 32 hexadecimal digits of the trace the client counts the request to."""
    parent_span_id: str | None = None
    """16 hexadecimal digits: the client's own span, under which it asks."""
    is_sampled: bool | None = None
    """Whether the client records that trace."""
    client: str = ""
    client_version: str = ""
    user_agent: str = ""
    content_type: str = ""
    betas: tuple[str, ...] = ()


def read_client(headers: HeaderPairs) -> ClientFacts:
    """Never raises. Of a header said twice the first counts, except `anthropic-beta`, which adds up."""
    said = _first_values(headers)
    turn = _turn_metadata(said)
    user_agent = said.get("user-agent", "")
    client, version = identify_client(user_agent)
    trace_id, parent_span_id, is_sampled = read_traceparent(said.get("traceparent", ""))
    parent_thread = said.get("x-codex-parent-thread-id") or _text(turn, "parent_thread_id")
    return ClientFacts(
        session_id=said.get("x-claude-code-session-id") or said.get("session-id") or _text(turn, "session_id"),
        agent_id=said.get("x-claude-code-agent-id") or _codex_agent(said, turn, parent_thread),
        parent_agent_id=said.get("x-claude-code-parent-agent-id") or parent_thread,
        prompt_id=said.get("x-claude-code-prompt-id"),
        request_class=said.get("x-claude-code-request-class") or said.get("x-claude-1p-request-class"),
        client_request_id=said.get("x-client-request-id"),
        thread_id=said.get("thread-id") or _text(turn, "thread_id"),
        turn_id=_text(turn, "turn_id"),
        window_id=said.get("x-codex-window-id") or _text(turn, "window_id"),
        trace_id=trace_id,
        parent_span_id=parent_span_id,
        is_sampled=is_sampled,
        client=client,
        client_version=version,
        user_agent=user_agent,
        content_type=said.get("content-type", ""),
        betas=_betas(headers),
    )


_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def read_traceparent(value: str) -> tuple[str | None, str | None, bool | None]:
    """Trace, span and sampled flag of a `traceparent` (W3C Trace Context, 3.2); None where it does not hold to that.
    Later versions may say more behind the flags; version 00 may not, ff is none, and an id is never all zeros."""
    found = _TRACEPARENT.fullmatch(value)
    if found is None:
        return None, None, None
    version, trace, span, flags, more = found.groups()
    fits = version != "ff" and not (version == "00" and more) and trace.strip("0") and span.strip("0")
    return (trace, span, bool(int(flags, 16) & 1)) if fits else (None, None, None)


def _first_values(headers: HeaderPairs) -> dict[str, str]:
    said: dict[str, str] = {}
    for name, value in headers:
        text = fit_text(value.decode("latin-1").strip())
        if text:
            said.setdefault(name.decode("latin-1").lower(), text)
    return said


def _betas(headers: HeaderPairs) -> tuple[str, ...]:
    values = (value for name, value in headers if name.lower() == b"anthropic-beta")
    betas = (beta.strip() for value in values for beta in value.decode("latin-1").split(","))
    return tuple(beta for beta in betas if beta)


def _turn_metadata(said: dict[str, str]) -> JSONObject:
    text = said.get("x-codex-turn-metadata")
    if text is None:
        return {}
    try:
        return object_or_none(read_json(text.encode("latin-1", "replace")).value) or {}
    except NotJSONError:
        return {}


def _text(source: JSONObject, name: str) -> str | None:
    value = source.get(name)
    return fit_text(value) if isinstance(value, str) and value else None


def _codex_agent(said: dict[str, str], turn: JSONObject, parent_thread: str | None) -> str | None:
    """The subagent's name. The main agent is given a name in the turn metadata too, which is not meant."""
    if name := said.get("x-openai-subagent"):
        return name
    return _text(turn, "agent_name") if parent_thread else None


# Start of the User-Agent, lower case -> the client's name here. The first that fits counts.
_CLIENTS: Final = (
    ("claude-cli/", "claude-code"),
    ("claude-code/", "claude-code"),
    ("codex", "codex"),
    ("anthropic/python", "anthropic-python"),
    ("asyncanthropic/python", "anthropic-python"),
    ("anthropic/js", "anthropic-js"),
    ("openai/python", "openai-python"),
    ("asyncopenai/python", "openai-python"),
    ("openai/js", "openai-js"),
)
_VERSION: Final = re.compile(r"[/ ]v?(\d[^\s;,()/]*)")
_PRODUCT: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:/v?([^\s;,()]+))?")


def identify_client(user_agent: str) -> tuple[str, str]:
    """Name and version of the client behind a User-Agent; empty where there is none. Unknown ones keep their product
    token, in lower case."""
    lowered = user_agent.lower()
    for start, name in _CLIENTS:
        if lowered.startswith(start):
            version = _VERSION.search(user_agent, len(start) - 1 if start.endswith("/") else len(start))
            return name, version[1] if version else ""
    product = _PRODUCT.match(user_agent)
    return (product[1].lower(), product[2] or "") if product else ("", "")


# `x-codex-*` also carries turn state and settings, which are no limits. Further limits come as `x-<limit's id>-...`.
_LIMITS: Final = re.compile(
    r"(?:anthropic-ratelimit|x-ratelimit)-.+"
    r"|x-(?:[a-z0-9_.]+-)+?(?:primary|secondary|credits)-[a-z0-9_.-]+"
    r"|x-(?:[a-z0-9_.]+-)+?limit-name"
    r"|x-codex-(?:rate-limit|active-limit|limit|promo)(?:-.+)?"
)


def rate_limits(headers: HeaderPairs) -> list[tuple[str, str]]:
    """The whole families of rate-limit headers of an answer, as (name in lower case, value), in order. Nothing is
    interpreted: a value may be a count, a fraction, a duration, a date or Unix seconds, and absent is not zero."""
    pairs = ((name.decode("latin-1").lower(), value) for name, value in headers)
    return [(name, value.decode("latin-1").strip()) for name, value in pairs if _LIMITS.fullmatch(name)]


def organization_id(headers: HeaderPairs) -> str | None:
    """The organization the provider says the key belongs to."""
    said = _first_values(headers)
    return said.get("anthropic-organization-id") or said.get("openai-organization")


def upstream_request_id(headers: HeaderPairs) -> str | None:
    """The provider's own id of the request."""
    said = _first_values(headers)
    return said.get("request-id") or said.get("x-request-id")
