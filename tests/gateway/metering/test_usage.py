"""What an answer used is read from what goes by, and is what the whole answer says."""

from __future__ import annotations

import gzip
import json

import pytest

from gateway.dialects.accumulate import accumulate, meter
from gateway.dialects.metered import Metered
from gateway.dialects.names import Dialect, Outcome
from gateway.metering.counters import Counters, Hold
from gateway.metering.usage import UsageWatch, Watched
from gateway.policy.budgets import Amount, BudgetRule, Rates
from gateway.policy.limits import Who
from gateway.policy.rulebook import Rulebook
from gateway.policy.windows import Period
from gateway.pricing.list_prices import list_prices
from gateway.pricing.price_book import PriceBook
from tests.exchanges import message_stream
from tests.upstream import chat_api, responses_api
from tests.upstream.content import content_for

STREAM = [(b"Content-Type", b"text/event-stream; charset=utf-8")]
JSON = [(b"content-type", b"application/json")]
CONTENT = content_for({"messages": []}, 10, "text", {})
STREAMS = {
    Dialect.ANTHROPIC: b"".join(message_stream("word " * 300)),
    Dialect.CHAT: b"".join(chat_api.stream(CONTENT, "gpt-5.5", 1, include_usage=True)),
    Dialect.RESPONSES: b"".join(responses_api.stream(CONTENT, {"model": "gpt-5.5"}, 1)),
}


def watched(dialect: Dialect, headers: list[tuple[bytes, bytes]], body: bytes, step: int) -> UsageWatch:
    watch = UsageWatch(dialect, headers)
    for start in range(0, len(body), step):
        watch.feed(body[start : start + step])
    return watch


def whole(dialect: Dialect, kind: str, body: bytes) -> Metered:
    answer = accumulate(dialect, kind, "", body)
    return meter(dialect, answer.usage, answer.message)


@pytest.mark.parametrize("step", [1, 7, 100, 1_000_000])
@pytest.mark.parametrize("dialect", list(STREAMS))
def test_a_stream_however_it_is_cut_into_chunks(dialect: Dialect, step: int) -> None:
    body = STREAMS[dialect]
    metered, model = watched(dialect, STREAM, body, step).read()
    assert metered.passes
    assert metered.tokens == whole(dialect, "text/event-stream", body).tokens
    assert model


@pytest.mark.parametrize("dialect", list(STREAMS))
def test_little_is_kept_of_a_stream(dialect: Dialect) -> None:
    if dialect is Dialect.ANTHROPIC:
        assert watched(dialect, STREAM, STREAMS[dialect], 100).size < 1000 < len(STREAMS[dialect]) / 5


def test_a_whole_answer_and_a_compressed_one() -> None:
    body = json.dumps({"model": "m", "usage": {"input_tokens": 5, "output_tokens": 7}, "content": []}).encode()
    for headers, sent in ((JSON, body), ([*JSON, (b"content-encoding", b"gzip")], gzip.compress(body))):
        tokens = watched(Dialect.ANTHROPIC, headers, sent, 10).read()[0].tokens
        assert (tokens.input_tokens, tokens.output_tokens) == (5, 7)
    compressed = [*STREAM, (b"content-encoding", b"gzip")]
    sent = gzip.compress(STREAMS[Dialect.ANTHROPIC])
    assert watched(Dialect.ANTHROPIC, compressed, sent, 100).read()[0] == whole(
        Dialect.ANTHROPIC, "text/event-stream", STREAMS[Dialect.ANTHROPIC]
    )


BOOK = Rulebook(
    budgets=(BudgetRule(name="sum", period=Period.DAILY, usd=100.0, tokens=10**9),),
    prices=PriceBook(listed.price for listed in list_prices()),
    default_rates=Rates(5.0, 25.0),
)


def settled(body: bytes, outcome: Outcome, status: int = 200, model: str = "claude-opus-4-5") -> Amount:
    counters = Counters()
    hold = counters.admit(BOOK, Who(model=model, provider="anthropic"), Amount(1000.0, 1.0))
    assert isinstance(hold, Hold)
    request = Watched(hold, BOOK, "anthropic", 4000, counters.was_usual)
    watch = request.answered(status, STREAM, Dialect.ANTHROPIC, "anthropic")
    watch.feed(body)
    request.close(outcome)
    pools = hold.counted[0].pools.values()
    assert [pool.held for pool in pools] == [0.0, 0.0]
    usd, tokens = (pool.used for pool in pools)
    return Amount(tokens, usd)


def priced(prompt: int, output: int) -> dict[str, int]:
    return {"input_tokens": prompt, "output_tokens": output}


def test_a_whole_answer_costs_what_the_ledger_says() -> None:
    body = b"".join(message_stream("word " * 48, model="claude-opus-4-5", usage=priced(1_000_000, 0)))
    amount = settled(body, Outcome.COMPLETED)
    assert amount.tokens == 1_000_060
    assert amount.usd == pytest.approx(5.0 + 60 * 25 / 1e6)


def test_a_cut_answer_costs_its_input_and_what_was_relayed() -> None:
    events = message_stream("word " * 4800, model="claude-opus-4-5", usage=priced(1000, 0))
    amount = settled(b"".join(events[:-2]), Outcome.CLIENT_DISCONNECTED)
    assert 1000 + 4000 < amount.tokens < 1000 + 12_000
    assert amount.usd == pytest.approx((1000 * 5 + (amount.tokens - 1000) * 25) / 1e6)


def test_a_model_without_a_price_costs_the_default_and_an_error_nothing() -> None:
    body = b"".join(message_stream("word " * 48, model="mine", usage=priced(1000, 0)))
    assert settled(body, Outcome.COMPLETED, model="mine").usd == pytest.approx((1000 * 5 + 60 * 25) / 1e6)
    assert settled(body, Outcome.UPSTREAM_ERROR, status=529) == Amount(0.0, 0.0)


def test_who_leaves_before_an_answer_has_had_the_input_read() -> None:
    counters = Counters()
    for outcome, tokens in ((Outcome.CLIENT_DISCONNECTED, 1000.0), (Outcome.UPSTREAM_ABORTED, 0.0), (None, 0.0)):
        hold = counters.admit(BOOK, Who(model="m", provider=str(outcome)), Amount(10.0, 1.0))
        assert isinstance(hold, Hold)
        before = [pool.used for pool in hold.counted[0].pools.values()]
        Watched(hold, BOOK, "p", 4000, counters.was_usual).close(outcome)
        after = [pool.used for pool in hold.counted[0].pools.values()]
        assert after[1] - before[1] == tokens
