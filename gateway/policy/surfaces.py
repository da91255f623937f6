"""Which API a path below `/v1/` belongs to.

The path decides where only one provider has it. Where both have it, or nobody we know, the request's own marks do:
`anthropic-version`, `x-api-key`, the shape of the credential.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.dialects.names import Dialect

ANTHROPIC_FAMILIES = frozenset(
    {"messages", "complete", "organizations", "skills", "sessions", "environments", "agents"}
)
OPENAI_FAMILIES = frozenset(
    {
        "embeddings", "completions", "audio", "images", "moderations", "batches", "uploads", "fine_tuning",
        "fine-tunes", "assistants", "threads", "vector_stores", "realtime", "conversations", "evals", "containers",
        "videos", "organization", "projects", "engines", "edits", "chatkit", "graders",
    }
)  # fmt: skip
SHARED_FAMILIES = frozenset({"models", "files"})
ANTHROPIC_MARKS = frozenset({b"anthropic-version", b"anthropic-beta", b"x-api-key"})
OPENAI_MARKS = frozenset({b"openai-organization", b"openai-project", b"openai-beta"})


def dialect_of(path: str, headers: Sequence[tuple[bytes, bytes]]) -> Dialect:
    """`path` as in `/v1/files/abc`, decoded; header names in lower case."""
    family, _, rest = path.removeprefix("/v1/").partition("/")
    if family in ANTHROPIC_FAMILIES:
        return Dialect.ANTHROPIC
    if family == "chat" and rest.split("/", 1)[0] == "completions":
        return Dialect.CHAT
    if family == "responses":
        return Dialect.RESPONSES
    if family == "chat" or family in OPENAI_FAMILIES:
        return Dialect.OPENAI
    return dialect_by_marks(headers, shared=family in SHARED_FAMILIES)


def dialect_by_marks(headers: Sequence[tuple[bytes, bytes]], *, shared: bool) -> Dialect:
    names = {name for name, _ in headers}
    if names & ANTHROPIC_MARKS:
        return Dialect.ANTHROPIC
    if names & OPENAI_MARKS:
        return Dialect.OPENAI
    bearer = next((value for name, value in headers if name == b"authorization"), b"")
    token = bearer[7:].lstrip() if bearer[:7].lower() == b"bearer " else b""
    if token.startswith(b"sk-"):
        return Dialect.ANTHROPIC if token.startswith(b"sk-ant-") else Dialect.OPENAI
    # A bearer token of no known shape without any mark of Anthropic's is how every OpenAI client calls: Anthropic's
    # clients send `anthropic-version` with each request. On a path neither has, Anthropic is the default.
    return Dialect.OPENAI if token and shared else Dialect.ANTHROPIC


def right_base_url(path: str) -> str | None:
    """What is wrong with a path that a mistaken base URL makes; None when it does not look like one."""
    stem = path.rstrip("/")
    tail = next((known for known in KNOWN_TAILS if stem.endswith(known)), None)
    if tail is None:
        return None
    return stem[: -len(tail)].removesuffix("/v1") or "/"


KNOWN_TAILS = (
    "/messages/count_tokens", "/messages", "/chat/completions", "/responses", "/embeddings", "/models",
)  # fmt: skip
