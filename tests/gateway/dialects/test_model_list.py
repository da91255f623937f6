"""Lists of models of every shape in use, and what is known of a model afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.model_list import (
    ListedModel,
    encode_anthropic_list,
    encode_openai_list,
    fit_profile,
    next_page,
    read_model_list,
)
from gateway.dialects.names import ProviderDialect
from gateway.dialects.profile import Profile, ReasoningStyle

OPENAI, ANTHROPIC = ProviderDialect.OPENAI, ProviderDialect.ANTHROPIC


def read(*entries: dict[str, Any], dialect: ProviderDialect = OPENAI) -> list[ListedModel]:
    models = read_model_list(json.dumps({"data": entries}).encode(), dialect)
    assert models is not None
    return models


@pytest.mark.parametrize(
    ("entry", "known"),
    [
        ({"id": "gpt-5.5", "object": "model", "created": 7, "owned_by": "openai"}, {"created": 7, "owner": "openai"}),
        ({"id": "qwen", "max_model_len": 32768}, {"context_window": 32768}),
        (
            {"id": "a/b", "context_length": 131072, "top_provider": {"max_completion_tokens": 8192},
             "architecture": {"input_modalities": ["text", "image"]}, "supported_parameters": ["tools", "reasoning"],
             "pricing": {"prompt": "0.000003", "completion": "0.000015"}},
            {"context_window": 131072, "max_output": 8192, "vision": True, "thinking": True, "tools": True,
             "input_price": 3.0, "output_price": 15.0},
        ),
        (
            {"id": "c", "supported_features": ["Thinking"], "price": {"input": {"usd": 0.5}, "output": {"usd": 2}}},
            {"thinking": True, "tools": False, "input_price": 0.5, "output_price": 2.0},
        ),
        ({"id": "m", "max_context_length": 9, "capabilities": {"vision": False}},
         {"context_window": 9, "vision": False}),
        ({"id": "l", "meta": {"n_ctx_train": 4096}}, {"context_window": 4096}),
        ({"id": "x", "context_length": "many", "pricing": {"prompt": "free"}, "created": "soon"}, {}),
    ],
)  # fmt: skip
def test_what_a_listing_says_is_kept_and_what_it_does_not_say_stays_unknown(
    entry: dict[str, Any], known: dict[str, Any]
) -> None:
    (model,) = read(entry)
    unknown = ("created", "context_window", "max_output", "vision", "thinking", "tools", "input_price", "output_price")
    assert {name: getattr(model, name) for name in unknown if getattr(model, name) is not None} == {
        name: value for name, value in known.items() if name != "owner"
    }


def test_anthropics_own_fields_are_read() -> None:
    entry = {"type": "model", "id": "claude-opus-5-5", "display_name": "Claude Opus 5.5", "max_input_tokens": 200000,
             "created_at": "2026-01-01T00:00:00Z", "max_tokens": 64000,
             "capabilities": {"image_input": {"supported": True}, "thinking": {"supported": True}}}  # fmt: skip
    (model,) = read(entry, dialect=ANTHROPIC)
    assert (model.display_name, model.created, model.context_window) == ("Claude Opus 5.5", 1767225600, 200000)
    assert (model.max_output, model.vision, model.thinking) == (64000, True, True)


def test_each_dialects_own_entries_go_out_as_they_came() -> None:
    own = {"id": "gpt-5.5", "object": "model", "created": 7, "owned_by": "o", "big": 12345678901234567890}
    foreign = {"type": "model", "id": "claude", "display_name": "C", "created_at": "2026-01-01T00:00:00Z"}
    models = [*read(own), *read(foreign, dialect=ANTHROPIC)]
    listed = json.loads(encode_openai_list(models))["data"]
    assert listed[0] == own
    assert listed[1] == {"id": "claude", "object": "model", "created": 1767225600, "owned_by": "anthropic"}
    page = json.loads(encode_anthropic_list(models, has_more=True))
    assert page["data"][1] == foreign
    assert page["data"][0]["created_at"] == "1970-01-01T00:00:07Z"
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, "gpt-5.5", "claude")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"data":3}', b"3", b'{"error":{"message":"no"}}'])
def test_what_is_no_list_is_none(body: bytes) -> None:
    assert read_model_list(body, OPENAI) is None


def test_bare_lists_and_entries_without_a_name_are_taken() -> None:
    models = read_model_list(b'[{"id":"a"},{"name":"b"},{},3]', OPENAI)
    assert models is not None
    assert [model.id for model in models] == ["a", "b"]


def test_the_next_page_is_asked_for_only_where_there_is_one() -> None:
    assert next_page(b'{"data":[],"has_more":true,"last_id":"x"}') == "x"
    assert next_page(b'{"data":[],"has_more":false,"last_id":"x"}') is None
    assert next_page(b"?") is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "pricing", "prompt", "price", "input", "usd", "capabilities", "created", "meta", "data"]
                ),
                v,
            )
        ),
    )
)
def test_any_json_is_a_list_or_none(value: Any) -> None:
    read_model_list(json.dumps({"data": [value, {"id": "x", "pricing": value, "price": value}]}).encode(), OPENAI)
    read_model_list(json.dumps(value).encode(), OPENAI)


def test_what_a_model_cannot_do_is_not_asked_of_it() -> None:
    profile = Profile("x", max_tokens_cap=9000, reasoning=ReasoningStyle("reasoning_effort"))
    blind = ListedModel("m", "", OPENAI, vision=False, thinking=False, tools=False, max_output=4096)
    fitted = fit_profile(profile, blind)
    assert (fitted.images, fitted.tools, fitted.reasoning.ask, fitted.max_tokens_cap) == (False, False, "none", 4096)
    assert fit_profile(profile, ListedModel("m", "", OPENAI)) is profile
    assert fit_profile(profile, None) is profile
