"""Which headers say how a body is to be read, and what breaks when one of the two halves is changed alone.

A beta travels with the fields it allows: without it the provider answers 400 and names the field, or silently does
less. The list is open at its end: a beta that is not here has no known half in the body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gateway.dialects.json_members import members_of

HeaderValues = Sequence[bytes]

BETAS: Final = (b"anthropic-beta", b"openai-beta")
VERSION: Final = b"anthropic-version"
KIND: Final = b"content-type"


class Half(NamedTuple):
    """A field of the body: at the top, or somewhere within a member that is."""

    member: str
    within: bytes = b""


HALVES: Final[tuple[tuple[bytes, tuple[Half, ...]], ...]] = (
    (b"context-management-", (Half("context_management"),)),
    (b"compact-", (Half("context_management", b"compact_"),)),
    (b"effort-", (Half("output_config", b'"effort"'),)),
    (b"task-budgets-", (Half("output_config", b'"task_budget"'),)),
    (
        b"structured-outputs-",
        (Half("output_config", b'"format"'), Half("output_format"), Half("tools", b'"strict"')),
    ),
    (b"per-turn-control-", (Half("messages", b'"output_config"'),)),
    (b"mid-conversation-output-config-", (Half("messages", b'"output_config"'),)),
    (b"mid-conversation-tool-changes-", (Half("messages", b'"tool_addition"'), Half("messages", b'"tool_removal"'))),
    (b"advanced-tool-use-", (Half("tools", b'"defer_loading"'), Half("tools", b'"allowed_callers"'))),
    (b"tool-search-tool-", (Half("tools", b'"defer_loading"'),)),
    (b"fine-grained-tool-streaming-", (Half("tools", b'"eager_input_streaming"'),)),
    (b"computer-use-", (Half("tools", b'"computer_'),)),
    (b"code-execution-", (Half("tools", b'"code_execution_'), Half("container"))),
    (b"skills-", (Half("container"),)),
    (b"mcp-client-", (Half("mcp_servers"),)),
    (b"fast-mode-", (Half("speed"),)),
    (b"server-side-fallback-", (Half("fallbacks"),)),
    (b"cache-diagnosis-", (Half("diagnostics"),)),
    (b"thinking-binding-controls-", (Half("thinking", b'"block_binding"'),)),
    (b"thinking-display-updates-", (Half("thinking", b'"updates"'),)),
    (b"extended-cache-ttl-", (Half("system", b'"ttl"'), Half("messages", b'"ttl"'), Half("tools", b'"ttl"'))),
    (b"prompt-caching-scope-", (Half("system", b'"scope"'), Half("tools", b'"scope"'))),
    (b"auto-mode-", (Half("safeguards"),)),
    (b"safeguards-", (Half("safeguards"),)),
)
SILENT: Final = (
    (b"oauth-", "a client signed in with a claude.ai login is answered 401 without it"),
    (b"context-1m-", "long context is silently off without it"),
    (b"interleaved-thinking-", "interleaved thinking is silently off without it"),
)


def needs_body(before: Mapping[bytes, HeaderValues], after: Mapping[bytes, HeaderValues]) -> bool:
    """Whether the change, by lower-case name, may part a header from its half of the body."""
    return bool(lost_betas(before, after))


def broken_pairs(
    before: Mapping[bytes, HeaderValues], after: Mapping[bytes, HeaderValues], body: bytes | None
) -> list[str]:
    """What the change of headers breaks, a sentence each. `body` None: it is not there to be looked at."""
    found = [
        f"{name.decode()} is changed, and says how the body is to be read"
        for name in (KIND, VERSION)
        if before.get(name) and list(before[name]) != list(after.get(name, ()))
    ]
    lost = lost_betas(before, after)
    members = slices_of(body) if body and lost else {}
    for beta in lost:
        words = beta.decode("latin-1")
        halves = halves_of(beta)
        parted = [half for half in halves if is_there(half, members)]
        if parted:
            found.append(f"{words} goes, and its field {told(parted[0])} stays in the body")
        elif halves and body is None:
            found.append(f"{words} goes, and whether its field {told(halves[0])} is in the body cannot be seen")
        found += [f"{words} goes: {harm}" for prefix, harm in SILENT if beta.startswith(prefix)]
    return found


def lost_betas(before: Mapping[bytes, HeaderValues], after: Mapping[bytes, HeaderValues]) -> list[bytes]:
    return [
        beta
        for name in BETAS
        if name in before
        for beta in listed(before[name])
        if beta not in listed(after.get(name, ()))
    ]


def listed(values: HeaderValues) -> list[bytes]:
    return [item.strip() for value in values for item in value.split(b",") if item.strip()]


def halves_of(beta: bytes) -> tuple[Half, ...]:
    return next((halves for prefix, halves in HALVES if beta.startswith(prefix)), ())


def slices_of(body: bytes) -> dict[str, bytes]:
    """The top-level members; keys as they are usually written."""
    return {key[1:-1].decode("latin-1"): body[start:end] for key, start, end in members_of(body)}


def is_there(half: Half, members: Mapping[str, bytes]) -> bool:
    found = members.get(half.member)
    if found is None or found in (b"null", b"[]", b"{}"):
        return False
    # Within a string its quotes would be escaped.
    return re.search(rb"(?<!\\)" + re.escape(half.within), found) is not None


def told(half: Half) -> str:
    inner = half.within.strip(b'"').decode("latin-1")
    return f"{half.member}.{inner}" if inner else half.member
