"""What an answer cost: every kind of token by its own rate, and nothing made up."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.accumulate import meter
from gateway.dialects.names import Dialect
from gateway.pricing.cost import NO_USAGE, PARTIAL, cost_of
from gateway.pricing.list_prices import list_prices
from gateway.pricing.price import Price, Tier
from gateway.pricing.price_book import PriceBook

A, C, R = Dialect.ANTHROPIC, Dialect.CHAT, Dialect.RESPONSES
NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)
SHIPPED = PriceBook(listed.price for listed in list_prices())


def anthropic(**counts: Any) -> dict[str, Any]:
    return {"input_tokens": 0, "output_tokens": 0} | counts


CASES: dict[str, tuple[Dialect, str, dict[str, Any], dict[str, Any], str]] = {
    "input and output": (A, "claude-opus-5-5", anthropic(input_tokens=1_000_000, output_tokens=1_000_000), {}, "24"),
    "a cache read at a twentieth": (A, "claude-opus-5-5", anthropic(cache_read_input_tokens=1_000_000), {}, "0.2"),
    "cache writes for five minutes and for an hour": (
        A,
        "claude-opus-5-5",
        anthropic(
            cache_creation_input_tokens=3_000_000,
            cache_creation={"ephemeral_5m_input_tokens": 1_000_000, "ephemeral_1h_input_tokens": 2_000_000},
        ),
        {},
        "21",
    ),
    "cache writes whose lifetime is not told last five minutes": (
        A,
        "claude-opus-5-5",
        anthropic(cache_creation_input_tokens=1_000_000),
        {},
        "5",
    ),
    "thinking is output": (
        A,
        "claude-opus-5-5",
        anthropic(output_tokens=1_000_000, output_tokens_details={"thinking_tokens": 900_000}),
        {},
        "20",
    ),
    "fast mode": (A, "claude-opus-5-5", anthropic(output_tokens=1_000_000, speed="fast"), {}, "40"),
    "a batch": (A, "claude-opus-5-5", anthropic(output_tokens=1_000_000, service_tier="batch"), {}, "10"),
    "inference kept in the US": (
        A,
        "claude-opus-5-5",
        anthropic(output_tokens=1_000_000, inference_geo="us"),
        {},
        "22",
    ),
    "web searches": (A, "claude-opus-5-5", anthropic(server_tool_use={"web_search_requests": 3}), {}, "0.03"),
    "fetches of pages are free": (A, "claude-opus-5-5", anthropic(server_tool_use={"web_fetch_requests": 3}), {}, "0"),
    "a dated snapshot": (A, "claude-haiku-4-5-20251001", anthropic(input_tokens=1_000_000), {}, "1"),
    "a context mark": (A, "claude-opus-5-5[1m]", anthropic(input_tokens=1_000_000), {}, "4"),
    "a short prompt of a model with two price bands": (
        A,
        "claude-haiku-5-5",
        anthropic(input_tokens=50_000, cache_read_input_tokens=50_000, output_tokens=1_000),
        {},
        "0.006",
    ),
    "a long prompt, cache included, makes all of it dearer": (
        A,
        "claude-haiku-5-5",
        anthropic(input_tokens=50_000, cache_read_input_tokens=50_001, output_tokens=1_000),
        {},
        "0.030000050",
    ),
    "several iterations are billed together": (
        A,
        "claude-opus-5-5",
        anthropic(
            input_tokens=100_000,
            iterations=[
                {"type": "compaction", "input_tokens": 900_000, "output_tokens": 50_000},
                {"type": "message", "input_tokens": 100_000, "output_tokens": 0},
            ],
        ),
        {},
        "5",
    ),
    "an adviser at its own model's price": (
        A,
        "claude-sonnet-5-5",
        anthropic(
            iterations=[
                {"type": "message", "input_tokens": 1_000_000, "output_tokens": 0},
                {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 1_000_000, "output_tokens": 0},
            ]
        ),
        {},
        "6",
    ),
    "OpenAI's prompt includes the cached part": (
        R,
        "gpt-6.2-sol",
        {"input_tokens": 200_000, "input_tokens_details": {"cached_tokens": 150_000}, "output_tokens": 0},
        {},
        "0.115",
    ),
    "OpenAI's cache writes": (
        R,
        "gpt-6.2-sol",
        {"input_tokens": 100_000, "input_tokens_details": {"cache_write_tokens": 100_000}, "output_tokens": 0},
        {},
        "0.25",
    ),
    "OpenAI's tier stands beside the usage": (
        R,
        "gpt-6.2-sol",
        {"input_tokens": 100_000, "output_tokens": 0},
        {"service_tier": "priority"},
        "0.4",
    ),
    "OpenAI's flexible tier in a chat": (
        C,
        "gpt-6.2-sol",
        {"prompt_tokens": 100_000, "completion_tokens": 0},
        {"service_tier": "flex"},
        "0.1",
    ),
    "OpenAI's long prompts": (
        R,
        "gpt-6.2-astra",
        {"input_tokens": 272_001, "output_tokens": 1_000_000},
        {},
        "64.352016",
    ),
    "OpenAI's searches are items of the answer": (
        R,
        "gpt-6.2-sol",
        {"input_tokens": 0, "output_tokens": 0},
        {"output": [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}]},
        "0.02",
    ),
    "embeddings have no output": (
        Dialect.OPENAI,
        "text-embedding-3-small",
        {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000},
        {},
        "0.02",
    ),
}


@pytest.mark.parametrize(("dialect", "model", "usage", "message", "usd"), CASES.values(), ids=CASES)
def test_costs(dialect: Dialect, model: str, usage: dict[str, Any], message: dict[str, Any], usd: str) -> None:
    cost = cost_of(meter(dialect, usage, message), model, "", NOW, SHIPPED)
    assert (cost.usd, cost.note) == (Decimal(usd), "")


UNKNOWN: dict[str, tuple[Dialect, str | None, dict[str, Any] | None, dict[str, Any], str]] = {
    "no usage": (A, "claude-opus-5-5", None, {}, NO_USAGE),
    "an empty usage": (A, "claude-opus-5-5", {}, {}, NO_USAGE),
    "a model without a price": (A, "claude-next", anthropic(), {}, "no price for claude-next"),
    "no model": (A, None, anthropic(), {}, "no price for an unnamed model"),
    "another's model of that name": (A, "azure/gpt-6.2-sol", anthropic(), {}, "no price for azure/gpt-6.2-sol"),
    "a tier without a public price": (
        C,
        "gpt-6.2-sol",
        {"prompt_tokens": 1, "completion_tokens": 1},
        {"service_tier": "scale"},
        "no price for service tier scale",
    ),
    "a tier the model is not sold at": (
        A,
        "claude-haiku-4-5",
        anthropic(speed="fast"),
        {},
        "no price for claude-haiku-4-5 at fast",
    ),
    "a kind of token without a rate": (
        R,
        "gpt-5-pro",
        {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 1},
        {},
        "no rate for cache_read",
    ),
    "output that was not counted": (
        A,
        "claude-opus-5-5",
        {"input_tokens": 5},
        {},
        "input or output tokens were not counted",
    ),
    "sound": (
        C,
        "gpt-4o",
        {"prompt_tokens": 5, "completion_tokens": 5, "completion_tokens_details": {"audio_tokens": 4}},
        {},
        "no price for sound",
    ),
    "a tool without a price": (
        R,
        "gpt-6.2-sol",
        {"input_tokens": 1, "output_tokens": 1},
        {"output": [{"type": "image_generation_call"}]},
        "no rate for image_generation",
    ),
}


@pytest.mark.parametrize(("dialect", "model", "usage", "message", "note"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_is_never_zero(
    dialect: Dialect, model: str | None, usage: dict[str, Any] | None, message: dict[str, Any], note: str
) -> None:
    cost = cost_of(meter(dialect, usage, message), model, "", NOW, SHIPPED)
    assert (cost.usd, cost.note) == (None, note)


def test_a_rate_that_is_missing_matters_only_when_it_is_used() -> None:
    usage = meter(R, {"input_tokens": 1_000_000, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 0}})
    assert cost_of(usage, "gpt-5-pro", "", NOW, SHIPPED).usd == 15


def test_a_broken_answer_costs_at_least_what_was_counted() -> None:
    cost = cost_of(meter(A, anthropic(input_tokens=1_000_000)), "claude-opus-5-5", "", NOW, SHIPPED, broken=True)
    assert (cost.usd, cost.note) == (4, PARTIAL)


def test_the_price_of_its_time_holds() -> None:
    usage = meter(A, anthropic(cache_read_input_tokens=1_000_000))
    change = datetime.datetime(2026, 10, 7, tzinfo=datetime.UTC)
    before = cost_of(usage, "claude-sonnet-5-5", "", change - datetime.timedelta(microseconds=1), SHIPPED)
    after = cost_of(usage, "claude-sonnet-5-5", "", change, SHIPPED)
    assert (before.usd, after.usd) == (Decimal("0.2"), Decimal("0.1"))


def test_a_price_for_the_very_provider_comes_first() -> None:
    def price(provider: str, rate: int) -> Price:
        return Price(provider=provider, model="m", valid_from=NOW, input=Decimal(rate), output=Decimal(rate))

    book = PriceBook([price("", 9), price("ours", 1)])
    usage = meter(A, anthropic(input_tokens=1_000_000))
    assert [cost_of(usage, "m", name, NOW, book).usd for name in ("ours", "theirs")] == [1, 9]


def test_of_two_prices_that_hold_the_later_one_does() -> None:
    prices = [
        Price(model="m", valid_from=NOW - datetime.timedelta(days=days), input=Decimal(days)) for days in (2, 9, 5)
    ]
    found = PriceBook(prices).find("m", "", Tier.STANDARD, 0, NOW)
    assert found is prices[0]


@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=5))
def test_the_lines_add_up_to_the_cost(counts: list[int]) -> None:
    plain, read, short, hour, out = counts
    usage = meter(
        A,
        anthropic(
            input_tokens=plain,
            cache_read_input_tokens=read,
            cache_creation_input_tokens=short + hour,
            cache_creation={"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": hour},
            output_tokens=out,
        ),
    )
    cost = cost_of(usage, "claude-opus-5-5", "", NOW, SHIPPED)
    exact = plain * 4 + read * Decimal("0.2") + short * 5 + hour * 8 + out * 20
    assert cost.usd is not None
    assert abs(cost.usd - exact / 1_000_000) <= Decimal("1e-9")
    assert sum((line.usd for line in cost.lines), Decimal(0)).quantize(Decimal("1e-9")) == cost.usd


def test_every_shipped_price_names_its_page_and_day_and_is_there_once() -> None:
    rows = list(list_prices())
    today = datetime.datetime.now(datetime.UTC).date()
    assert all(row.source.startswith("https://") and row.read_on <= today for row in rows)
    keys = [(row.price.model, row.price.tier, row.price.prompt_above, row.price.valid_from) for row in rows]
    assert len(set(keys)) == len(keys) > 100


@pytest.mark.parametrize("handling", ["counted", "synthetic:title", "cached: exact"])
def test_what_the_gateway_answered_itself_costs_nothing_that_is_known(handling: str) -> None:
    usage = meter(A, anthropic(input_tokens=1_000_000))
    cost = cost_of(usage, "claude-opus-5-5", "", NOW, SHIPPED, handling=handling)
    assert (cost.usd, cost.note) == (None, "not sent on")
    assert cost_of(usage, "claude-opus-5-5", "", NOW, SHIPPED, handling="demoted").usd == 4
