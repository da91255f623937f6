"""The profiles that come with the gateway. Each row says what its provider's documentation or its refusals say."""

from __future__ import annotations

from typing import Final

from gateway.dialects.profile import SAMPLING, Profile, ReasoningStyle

_OPENAI: Final = Profile(
    "openai",
    hosts=("api.openai.com",),
    apis=("responses", "chat"),
    max_tokens_field="max_completion_tokens",
    fields=SAMPLING
    | {
        "parallel_tool_calls", "response_format", "prompt_cache_key", "safety_identifier", "service_tier", "verbosity",
    },
    stops_cap=4,
    documents=True,
    text_parts=True,
    strict_tools=True,
    custom_tools=True,
    system_role="developer",
    system_anywhere=True,
    reasoning=ReasoningStyle(
        "reasoning_effort", ("none", "minimal", "low", "medium", "high", "xhigh"), tags=False
    ),
)  # fmt: skip
_DEEPSEEK: Final = Profile(
    "deepseek",
    hosts=("api.deepseek.com",),
    max_tokens_cap=65536,
    fields=frozenset({"temperature", "top_p", "stop", "presence_penalty", "frequency_penalty"}),
    stops_cap=16,
    images=False,
    system_anywhere=True,
    reasoning=ReasoningStyle("thinking", (), "reasoning_content", tags=False),
)
_GROQ: Final = Profile(
    "groq",
    hosts=("api.groq.com",),
    apis=("chat", "responses"),
    max_tokens_field="max_completion_tokens",
    fields=frozenset(
        {"temperature", "top_p", "stop", "seed", "parallel_tool_calls", "response_format", "service_tier"}
    ),
    stops_cap=4,
    text_parts=True,
    schema_refuses=frozenset({"$schema"}),
    reasoning=ReasoningStyle("reasoning_effort", ("low", "medium", "high"), "reasoning"),
)
_GOOGLE: Final = Profile(
    "google",
    hosts=("generativelanguage.googleapis.com", "aiplatform.googleapis.com"),
    fields=frozenset({"temperature", "top_p", "stop", "response_format", "parallel_tool_calls"}),
    stops_cap=5,
    text_parts=True,
    schema_refuses=frozenset(
        {
            "$schema",
            "additionalProperties",
            "patternProperties",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "propertyNames",
        }
    ),
    reasoning=ReasoningStyle("reasoning_effort", ("none", "low", "medium", "high"), tags=False),
)
_OPENROUTER: Final = Profile(
    "openrouter",
    hosts=("openrouter.ai",),
    apis=("chat", "responses"),
    fields=SAMPLING | {"top_k", "parallel_tool_calls", "response_format", "prompt_cache_key", "verbosity"},
    documents=True,
    text_parts=True,
    strict_tools=True,
    cache_control=True,
    system_anywhere=True,
    reasoning=ReasoningStyle(
        "reasoning", ("none", "minimal", "low", "medium", "high", "xhigh"), "reasoning", tags=False
    ),
)
_VERCEL: Final = Profile(
    "vercel",
    hosts=("ai-gateway.vercel.sh",),
    apis=("chat", "responses"),
    text_parts=True,
    reasoning=ReasoningStyle("reasoning", ("none", "minimal", "low", "medium", "high", "xhigh"), tags=False),
)
_CEREBRAS: Final = Profile(
    "cerebras",
    hosts=("api.cerebras.ai",),
    max_tokens_field="max_completion_tokens",
    fields=frozenset({"temperature", "top_p", "stop", "seed", "parallel_tool_calls", "response_format"}),
    stops_cap=4,
    images=False,
    strict_tools=True,
    reasoning=ReasoningStyle("disable_reasoning", (), "drop"),
)
_NVIDIA: Final = Profile(
    "nvidia-nim",
    hosts=("integrate.api.nvidia.com",),
    fields=SAMPLING | {"response_format", "parallel_tool_calls"},
    schema_refuses=frozenset({"$schema"}),
    rescue_text_calls=True,
    reasoning=ReasoningStyle("chat_template_kwargs", (), "tags"),
)
_CHUTES: Final = Profile(
    "chutes",
    hosts=("llm.chutes.ai", "chutes.ai"),
    fields=SAMPLING | {"top_k", "response_format"},
    rescue_text_calls=True,
    reasoning=ReasoningStyle("chat_template_kwargs", (), "tags"),
)
_VLLM: Final = Profile(
    "vllm",
    apis=("chat", "responses"),
    fields=SAMPLING | {"top_k", "response_format", "parallel_tool_calls"},
    text_parts=True,
    rescue_text_calls=True,
    reasoning=ReasoningStyle("chat_template_kwargs", (), "reasoning_content"),
)
_OLLAMA: Final = Profile(
    "ollama",
    fields=SAMPLING | {"response_format"},
    tool_choices=frozenset({"auto", "none"}),
    rescue_text_calls=True,
    reasoning=ReasoningStyle("reasoning_effort", ("none", "low", "medium", "high"), "reasoning"),
)
_LLAMA_CPP: Final = Profile(
    "llama-cpp",
    fields=SAMPLING | {"top_k", "response_format", "parallel_tool_calls"},
    tool_choices=frozenset({"auto", "none", "required"}),
    rescue_text_calls=True,
    reasoning=ReasoningStyle("chat_template_kwargs", (), "reasoning_content"),
)
# Of an unknown engine both APIs are believed, so that nothing is translated that might be relayed.
DEFAULT_PROFILE: Final = Profile("default", apis=("chat", "responses"), rescue_text_calls=True)

PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile
    for profile in (
        DEFAULT_PROFILE,
        _OPENAI,
        _DEEPSEEK,
        _GROQ,
        _GOOGLE,
        _OPENROUTER,
        _VERCEL,
        _CEREBRAS,
        _NVIDIA,
        _CHUTES,
        _VLLM,
        _OLLAMA,
        _LLAMA_CPP,
    )
}


def choose_profile(name: str, host: str) -> Profile:
    """The profile that was named for a provider; where none was, the one of its host; else the default one."""
    if name:
        return PROFILES.get(name, DEFAULT_PROFILE)
    for profile in PROFILES.values():
        if any(host == known or host.endswith(f".{known}") for known in profile.hosts):
            return profile
    return DEFAULT_PROFILE
