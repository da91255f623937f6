"""The names of what a request may speak and how an exchange may end, spelled once."""

from __future__ import annotations

from enum import StrEnum


class Dialect(StrEnum):
    """What a request speaks. Endpoints beside the three conversations are named after their provider's API."""

    ANTHROPIC = "anthropic"
    """Anthropic Messages, and the rest of Anthropic's `/v1/*`."""
    CHAT = "chat"
    """OpenAI Chat Completions."""
    RESPONSES = "responses"
    """OpenAI Responses."""
    OPENAI = "openai"
    """The rest of OpenAI's `/v1/*`: embeddings, files, images, models and so on."""


class ProviderDialect(StrEnum):
    """Which API a provider offers."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


class Shortcut(StrEnum):
    """A housekeeping call of Claude Code that the gateway may answer by itself, where a route allows it."""

    QUOTA = "quota"
    """The one-token probe of the quota at start."""
    PREFIX = "prefix"
    """Which prefix a shell command has, asked before it is run."""
    TITLE = "title"
    """A title for the conversation."""
    SUGGESTION = "suggestion"
    """What the user might type next."""
    FILEPATHS = "filepaths"
    """Which files a command's output named."""


class Outcome(StrEnum):
    """How an exchange ended. `upstream_error`: the provider answered with an error; broken answers are told apart."""

    COMPLETED = "completed"
    UPSTREAM_ERROR = "upstream_error"
    CLIENT_DISCONNECTED = "client_disconnected"
    CLIENT_STALLED = "client_stalled"
    UPSTREAM_ABORTED = "upstream_aborted"
    UPSTREAM_STALLED = "upstream_stalled"
    DENIED = "denied"
    INTERRUPTED = "interrupted"
    INTERRUPTED_DRAIN = "interrupted_drain"


BROKEN = frozenset(
    (
        Outcome.CLIENT_DISCONNECTED,
        Outcome.CLIENT_STALLED,
        Outcome.UPSTREAM_ABORTED,
        Outcome.UPSTREAM_STALLED,
        Outcome.INTERRUPTED,
        Outcome.INTERRUPTED_DRAIN,
    )
)
"""The answer did not come to its end."""


def provider_dialect(dialect: Dialect) -> ProviderDialect:
    return ProviderDialect.ANTHROPIC if dialect is Dialect.ANTHROPIC else ProviderDialect.OPENAI
