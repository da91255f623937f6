"""Why an answer stopped: the words of each dialect for it, in one table that is read in both directions."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.dialects.answer import StopReason


class Words(NamedTuple):
    """`anthropic`: `stop_reason`; `chat`: `finish_reason`; `incomplete`: Responses' `incomplete_details.reason`, None
    where its status is `completed`."""

    anthropic: str
    chat: str
    incomplete: str | None


# A pause and a compaction have no word outside Anthropic. They are told as a cut answer, because to say "stop" would
# make an unfinished turn look finished.
STOPS: Final[dict[StopReason, Words]] = {
    StopReason.END: Words("end_turn", "stop", None),
    StopReason.STOP_SEQUENCE: Words("stop_sequence", "stop", None),
    StopReason.MAX_TOKENS: Words("max_tokens", "length", "max_output_tokens"),
    StopReason.CONTEXT_WINDOW: Words("model_context_window_exceeded", "length", "max_output_tokens"),
    StopReason.TOOL_CALLS: Words("tool_use", "tool_calls", None),
    StopReason.REFUSAL: Words("refusal", "content_filter", "content_filter"),
    StopReason.PAUSE: Words("pause_turn", "length", "max_output_tokens"),
    StopReason.COMPACTION: Words("compaction", "length", "max_output_tokens"),
}

ANTHROPIC_STOPS: Final = {words.anthropic: reason for reason, words in STOPS.items()}

# What several reasons are told as is read as the first of them. Beside OpenAI's own words stand those of servers that
# speak its dialect in their own way (Mistral's model_length, Anthropic's words through a gateway, TGI's eos_token).
CHAT_STOPS: Final = {words.chat: reason for reason, words in reversed(STOPS.items())} | {
    "function_call": StopReason.TOOL_CALLS,
    "tool_use": StopReason.TOOL_CALLS,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_length": StopReason.MAX_TOKENS,
    "end_turn": StopReason.END,
    "eos": StopReason.END,
    "eos_token": StopReason.END,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "refusal": StopReason.REFUSAL,
    "safety": StopReason.REFUSAL,
}

BROKEN: Final = frozenset({"error", "abort", "insufficient_system_resource", "network_error"})
"""`finish_reason`s with which a server says that the answer broke off."""
