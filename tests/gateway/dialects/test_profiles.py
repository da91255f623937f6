"""Profiles: what each family of providers is told in place of what the caller said, and how one is chosen."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.dialects.codecs import CODECS
from gateway.dialects.model_list import ListedModel, fit_profile
from gateway.dialects.names import Dialect, ProviderDialect
from gateway.dialects.profile import Profile
from gateway.dialects.profiles import DEFAULT_PROFILE, PROFILES, choose_profile
from gateway.dialects.translation import translate_request
from gateway.dialects.turn import (
    Message,
    OutputFormat,
    Refused,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False}
REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 128_000,
    "stream": True,
    "system": [{"type": "text", "text": "Be good.", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}],
    "tools": [{"name": "t", "input_schema": SCHEMA, "strict": True, "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "enabled", "budget_tokens": 8000},
}
TEXT = {"type": "text", "text": "Hi"}
PDF = {
    "type": "document",
    "title": "a.pdf",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


def asked(profile: Profile, **more: Any) -> dict[str, Any]:
    request = CODECS[Dialect.ANTHROPIC].decode_request(json.dumps(REQUEST | more).encode())
    encoded = CODECS[Dialect.CHAT].encode_request(request, profile)
    body: dict[str, Any] = json.loads(encoded.body)
    return body


TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenAI: its own limit, an effort": ("openai", {"max_completion_tokens": 128_000, "reasoning_effort": "medium"}),
    "DeepSeek: a cap, a thinking object": ("deepseek", {"max_tokens": 65_536, "thinking": {"type": "enabled"}}),
    "Groq: its own limit, an effort": ("groq", {"max_completion_tokens": 128_000, "reasoning_effort": "medium"}),
    "Google: an effort": ("google", {"max_tokens": 128_000, "reasoning_effort": "medium"}),
    "OpenRouter: a reasoning object": ("openrouter", {"reasoning": {"max_tokens": 8000}}),
    "Vercel: a reasoning object": ("vercel", {"max_tokens": 128_000, "reasoning": {"max_tokens": 8000}}),
    "Cerebras: thinking not switched off": ("cerebras", {"disable_reasoning": False}),
    "NVIDIA NIM: the template's switch": (
        "nvidia-nim",
        {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}},
    ),
    "chutes.ai: the template's switch": (
        "chutes",
        {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}},
    ),
    "vLLM: the template's switch": ("vllm", {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}),
    "Ollama: an effort": ("ollama", {"max_tokens": 128_000, "reasoning_effort": "medium"}),
    "llama.cpp: the template's switch": (
        "llama-cpp",
        {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}},
    ),
    "an engine nobody knows: nothing it might refuse": ("default", {"max_tokens": 128_000}),
}


@pytest.mark.parametrize(("name", "fields"), TOLD.values(), ids=TOLD)
def test_limit_and_thinking_are_told_in_the_providers_way(name: str, fields: dict[str, Any]) -> None:
    body = asked(PROFILES[name])
    standing = {"model", "messages", "tools", "stream", "stream_options", "max_tokens", "max_completion_tokens"}
    assert {key: body[key] for key in fields} == fields
    assert set(body) - standing == set(fields) - standing


@pytest.mark.parametrize("name", PROFILES)
def test_cache_breakpoints_go_only_where_they_are_taken(name: str) -> None:
    marked = "cache_control" in json.dumps(asked(PROFILES[name]))
    assert marked == (name == "openrouter")


REFUSED_KEYWORDS = {"groq": {"$schema"}, "nvidia-nim": {"$schema"}, "google": {"$schema", "additionalProperties"}}


@pytest.mark.parametrize("name", PROFILES)
def test_schemas_keep_every_keyword_the_provider_takes(name: str) -> None:
    parameters = asked(PROFILES[name])["tools"][0]["function"]["parameters"]
    assert set(SCHEMA) - set(parameters) == REFUSED_KEYWORDS.get(name, set())


@pytest.mark.parametrize("name", PROFILES)
def test_usage_is_asked_for_in_every_stream(name: str) -> None:
    assert asked(PROFILES[name])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", PROFILES)
def test_thinking_that_is_switched_off_is_never_switched_on(name: str) -> None:
    body = json.dumps(asked(PROFILES[name], thinking={"type": "disabled"}))
    assert '"enabled"}' not in body
    assert '"enable_thinking": true' not in body
    assert '"reasoning_effort": "medium"' not in body


NO_EFFORT = {"reasoning_effort": "none"}
NO_SWITCH = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
SWITCHED_OFF: dict[str, dict[str, Any]] = {
    "default": {},
    "openai": NO_EFFORT,
    "deepseek": {"thinking": {"type": "disabled"}},
    "groq": {},
    "google": NO_EFFORT,
    "openrouter": {"reasoning": {"enabled": False}},
    "vercel": {"reasoning": {"enabled": False}},
    "cerebras": {"disable_reasoning": True},
    "nvidia-nim": NO_SWITCH,
    "chutes": NO_SWITCH,
    "vllm": NO_SWITCH,
    "ollama": NO_EFFORT,
    "llama-cpp": NO_SWITCH,
}
THINKS = {"reasoning_effort", "reasoning", "thinking", "disable_reasoning", "chat_template_kwargs"}


@pytest.mark.parametrize("name", PROFILES)
def test_thinking_is_switched_off_in_the_providers_way(name: str) -> None:
    body = asked(PROFILES[name], thinking={"type": "disabled"})
    assert {key: body[key] for key in THINKS & set(body)} == SWITCHED_OFF[name]


def test_where_thinking_cannot_be_switched_off_the_wish_is_a_loss() -> None:
    body = json.dumps(REQUEST | {"thinking": {"type": "disabled"}}).encode()
    request = CODECS[Dialect.ANTHROPIC].decode_request(body)
    losses = CODECS[Dialect.CHAT].encode_request(request, PROFILES["groq"]).losses
    assert [loss.field for loss in losses if "thinking" in loss.field] == ["thinking"]
    assert not [loss for loss in CODECS[Dialect.CHAT].encode_request(request, PROFILES["google"]).losses
                if "thinking" in loss.field]  # fmt: skip


STRICT = {"openai", "openrouter", "cerebras"}
STOPS = {"openai": 4, "deepseek": 16, "groq": 4, "google": 5, "cerebras": 4}
FORCED = {"ollama": "auto", "llama-cpp": "required"}


@pytest.mark.parametrize("name", PROFILES)
def test_strict_tools_stops_forced_calls_and_the_system_prompt_are_told_as_the_provider_takes_them(name: str) -> None:
    stops = [str(number) for number in range(20)]
    body = asked(PROFILES[name], stop_sequences=stops, tool_choice={"type": "tool", "name": "t"})
    assert body["tools"][0]["function"].get("strict") == (True if name in STRICT else None)
    assert body["stop"] == stops[: STOPS.get(name, 20)]
    assert body["tool_choice"] == FORCED.get(name, {"type": "function", "function": {"name": "t"}})
    assert body["messages"][0]["role"] == ("developer" if name == "openai" else "system")


WISHES = Request(
    "m",
    (Message(Role.USER, (Text("Hi"),)),),
    tools=(Tool("t"),),
    parallel_tool_calls=False,
    sampling=Sampling(0.5, 0.9, 40, ("x",), 7, 0.1, 0.2),
    output_format=OutputFormat("json"),
    verbosity="low",
    cache_key="session",
    user="ada",
    service_tier="flex",
)
ALWAYS = {"model", "messages", "tools", "stop"}
USUAL = {"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"}
FORMAT, PARALLEL = {"response_format"}, {"parallel_tool_calls"}
TAKEN: dict[str, set[str]] = {
    "default": USUAL | FORMAT,
    "openai": USUAL | FORMAT | PARALLEL | {"prompt_cache_key", "safety_identifier", "service_tier", "verbosity"},
    "deepseek": USUAL - {"seed"},
    "groq": {"temperature", "top_p", "seed", "service_tier"} | FORMAT | PARALLEL,
    "google": {"temperature", "top_p"} | FORMAT | PARALLEL,
    "openrouter": USUAL | FORMAT | PARALLEL | {"top_k", "prompt_cache_key", "verbosity"},
    "vercel": USUAL | FORMAT,
    "cerebras": {"temperature", "top_p", "seed"} | FORMAT | PARALLEL,
    "nvidia-nim": USUAL | FORMAT | PARALLEL,
    "chutes": USUAL | FORMAT | {"top_k"},
    "vllm": USUAL | FORMAT | PARALLEL | {"top_k"},
    "ollama": USUAL | FORMAT,
    "llama-cpp": USUAL | FORMAT | PARALLEL | {"top_k"},
}
TOLD_OTHERWISE = {"response_format": "output_config.format"}
UNTOLD = {"prompt_cache_key"}
"""What no caller asked for: it is made from a session, and nothing is lost with it."""


@pytest.mark.parametrize("name", PROFILES)
def test_of_the_optional_fields_those_the_provider_takes_are_sent_and_the_others_are_losses(name: str) -> None:
    encoded = CODECS[Dialect.CHAT].encode_request(WISHES, PROFILES[name])
    assert set(json.loads(encoded.body)) - ALWAYS == TAKEN[name]
    optional = TAKEN["openai"] | TAKEN["openrouter"]
    lost = {TOLD_OTHERWISE.get(field, field) for field in optional - TAKEN[name] - UNTOLD}
    assert {loss.field for loss in encoded.losses} == lost


PARTS = {"openai", "groq", "google", "openrouter", "vercel", "vllm"}
FILES = {"openai", "openrouter"}
ANYWHERE = {"openai", "deepseek", "openrouter"}


@pytest.mark.parametrize("name", PROFILES)
def test_text_in_parts_stays_so_where_the_provider_takes_parts(name: str) -> None:
    said = asked(PROFILES[name], messages=[{"role": "user", "content": [TEXT, TEXT]}])["messages"][-1]["content"]
    assert said == ([TEXT, TEXT] if name in PARTS else "Hi\n\nHi")


@pytest.mark.parametrize("name", PROFILES)
def test_a_document_is_a_file_where_files_are_taken_and_refused_elsewhere(name: str) -> None:
    messages = [{"role": "user", "content": [PDF]}]
    if name not in FILES:
        with pytest.raises(Refused, match="takes no documents"):
            asked(PROFILES[name], messages=messages)
        return
    (part,) = asked(PROFILES[name], messages=messages)["messages"][-1]["content"]
    assert part == {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}


@pytest.mark.parametrize("name", PROFILES)
def test_a_custom_tool_and_its_calls_stay_what_they_are_where_such_tools_are_taken(name: str) -> None:
    call, result = ToolCall("c", "patch", "*** Begin", "custom"), ToolResult("c", (Text("ok"),), kind="custom")
    history = (*WISHES.messages, Message(Role.ASSISTANT, (call,)), Message(Role.USER, (result,)))
    request = msgspec.structs.replace(WISHES, messages=history, tools=(Tool("patch", "Edits", kind="custom"),))
    body = json.loads(CODECS[Dialect.CHAT].encode_request(request, PROFILES[name]).body)
    (tool,), (said,) = body["tools"], body["messages"][1]["tool_calls"]
    if name == "openai":
        assert tool == {"type": "custom", "custom": {"name": "patch", "description": "Edits"}}
        assert said == {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    else:
        assert (tool["type"], tool["function"]["name"]) == ("function", "patch")
        assert tool["function"]["parameters"]["required"] == ["input"]
        assert json.loads(said["function"]["arguments"]) == {"input": "*** Begin"}


@pytest.mark.parametrize("name", PROFILES)
def test_an_instruction_in_mid_conversation_is_one_only_where_it_may_stand_there(name: str) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}]
    *_, before, last = asked(PROFILES[name], messages=turns)["messages"]
    if name in ANYWHERE:
        assert last == {"role": "developer" if name == "openai" else "system", "content": "Be brief."}
    else:
        assert last == {"role": "user", "content": "Hi\n\n<system-reminder>\nBe brief.\n</system-reminder>"}
        assert before["role"] == "system"


def test_who_takes_no_stream_options_is_sent_none_and_who_takes_no_tools_is_asked_nothing() -> None:
    quiet = msgspec.structs.replace(DEFAULT_PROFILE, include_usage=False)
    assert "stream_options" not in asked(quiet)
    with pytest.raises(Refused, match="tools: function cannot be used with this model"):
        asked(msgspec.structs.replace(DEFAULT_PROFILE, tools=False))


def test_an_effort_a_message_asks_for_outweighs_the_requests() -> None:
    turns = [{"role": "user", "content": "Hi", "output_config": {"effort": "high"}}]
    more: dict[str, Any] = {"thinking": None, "output_config": {"effort": "low"}}
    assert asked(PROFILES["openai"], **more)["reasoning_effort"] == "low"
    assert asked(PROFILES["openai"], messages=turns, **more)["reasoning_effort"] == "high"


@pytest.mark.parametrize("name", ["deepseek", "cerebras"])
def test_an_image_is_refused_where_nothing_sees(name: str) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [IMAGE]}]}
    with pytest.raises(Refused, match="takes no images"):
        translated(PROFILES[name], Dialect.CHAT, body)


RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}


@pytest.mark.parametrize("content", [IMAGE, RESULT], ids=["in a message", "in a result"])
@pytest.mark.parametrize("provider", [Dialect.CHAT, Dialect.RESPONSES])
def test_a_model_whose_listing_has_no_images_is_sent_none(provider: Dialect, content: Any) -> None:
    blind = fit_profile(DEFAULT_PROFILE, ListedModel("m", "{}", ProviderDialect.OPENAI, vision=False))
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [content]}]}
    with pytest.raises(Refused, match=r"takes no images.*scenario: image"):
        translated(blind, provider, body)


def test_a_model_listed_as_thinking_is_asked_to_think() -> None:
    thinks = fit_profile(DEFAULT_PROFILE, ListedModel("m", "{}", ProviderDialect.OPENAI, thinking=True))
    assert asked(thinks)["reasoning_effort"] == "medium"
    request = CODECS[Dialect.ANTHROPIC].decode_request(json.dumps(REQUEST).encode())
    body = json.loads(CODECS[Dialect.RESPONSES].encode_request(request, thinks).body)
    assert body["reasoning"]["effort"] == "medium"
    assert "reasoning_effort" not in asked(thinks, thinking={"type": "disabled"})


@pytest.mark.parametrize("name", sorted(PROFILES.keys() - {"default"}))
def test_a_listing_that_says_thinking_leaves_a_profile_its_own_way_to_ask(name: str) -> None:
    listed = ListedModel("m", "{}", ProviderDialect.OPENAI, thinking=True)
    assert fit_profile(PROFILES[name], listed) is PROFILES[name]


def translated(profile: Profile, provider: Dialect, body: Any) -> None:
    translate_request(Dialect.ANTHROPIC, provider, profile, json.dumps(body).encode(), model=None, tag="t")


HOSTS = {
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google",
    "eu.api.groq.com": "groq",
    "openrouter.ai": "openrouter",
    "ai-gateway.vercel.sh": "vercel",
    "notopenrouter.ai": "default",
    "127.0.0.1": "default",
    "": "default",
}


@pytest.mark.parametrize(("host", "name"), HOSTS.items())
def test_a_profile_is_chosen_by_host(host: str, name: str) -> None:
    assert choose_profile("", host) is PROFILES[name]


def test_a_profile_that_is_named_outweighs_the_host() -> None:
    assert choose_profile("vllm", "api.openai.com") is PROFILES["vllm"]
    assert choose_profile("gone", "api.openai.com") is DEFAULT_PROFILE
