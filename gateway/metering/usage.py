"""What an answer used, seen as it goes by: the events that speak of usage are kept, everything else is only measured.

Only requests that some rule counts tokens or money of are watched. What is kept is read at the end by the same code
that reads answers for the history, so that a budget and the ledger agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from gateway.dialects.accumulate import accumulate, meter
from gateway.dialects.metered import Metered
from gateway.dialects.names import BROKEN, Dialect, Outcome
from gateway.dialects.sse_data import EventData
from gateway.metering.counters import Hold
from gateway.policy.budgets import BYTES_A_TOKEN, NOTHING, Amount, Rates, amount_of
from gateway.policy.rulebook import Rulebook
from gateway.pricing.cost import cost_of, prompt_of
from gateway.pricing.price import Tier
from gateway.pricing.price_book import PriceBook

EVENT_STREAM: Final = b"text/event-stream"
MOST_KEPT: Final = 16 * 1024 * 1024
MOST_EVENTS: Final = 32
AROUND_A_DELTA: Final = 90
"""Bytes of an event beside the text it brings, roughly."""
ON_LOOP_BYTES: Final = 256 * 1024

LEFT: Final = BROKEN - {Outcome.UPSTREAM_ABORTED, Outcome.UPSTREAM_STALLED}

log = structlog.get_logger(__name__)


class UsageWatch:
    """Of one answer. `feed` makes no copies of what it keeps of a whole body."""

    __slots__ = ("_coding", "_events", "_kept", "_type", "dialect", "said", "size")

    def __init__(self, dialect: Dialect, headers: Sequence[tuple[bytes, bytes]]) -> None:
        told = {name.lower(): value for name, value in headers}
        self.dialect = dialect
        self._type = told.get(b"content-type", b"").decode("latin-1")
        self._coding = told.get(b"content-encoding", b"").strip().lower().decode("latin-1")
        plain = self._coding in ("", "identity")
        self._events = EventData() if plain and self._type.lower().startswith(EVENT_STREAM.decode()) else None
        self._kept: list[bytes] = []
        self.size = 0
        """Bytes kept."""
        self.said = 0
        """Bytes of text and the like, roughly, in events that say nothing of usage."""

    def feed(self, chunk: bytes) -> None:
        if self._events is None:
            self.size += len(chunk)
            if self.size <= MOST_KEPT:
                self._kept.append(chunk)
            return
        for data in self._events.feed(chunk):
            if b'"usage":' in data and b'"usage":null' not in data:
                self._keep(data)
            else:
                self.said += max(0, len(data) - AROUND_A_DELTA)

    def give_up(self) -> None:
        """It was not seen whole: what it used is unknown."""
        self.size = MOST_KEPT + 1
        self._kept.clear()

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        self._kept.append(data)
        if len(self._kept) > MOST_EVENTS:
            # A provider that tells it with every event: the first and the last say all.
            self.size -= len(self._kept.pop(MOST_EVENTS // 2))

    def read(self) -> tuple[Metered, str | None]:
        """What was reported, and the model that answered."""
        if self.size > MOST_KEPT:
            return Metered(), None
        if self._events is None:
            body, kind, coding = b"".join(self._kept), self._type, self._coding
        else:
            body, kind, coding = b"".join(b"data: %b\n\n" % data for data in self._kept), "text/event-stream", ""
        answer = accumulate(self.dialect, kind, coding, body)
        return meter(self.dialect, answer.usage, answer.message), answer.model


class Watched:
    """A request some rule counts tokens or money of, from its being sent on to the end of its answer."""

    __slots__ = ("_body_bytes", "_book", "_hold", "_provider", "_record", "_watch", "status")

    def __init__(
        self, hold: Hold, book: Rulebook, provider: str, body_bytes: int, usual: Callable[[str, float], None]
    ) -> None:
        self._hold = hold
        self._book = book
        self._provider = provider
        self._body_bytes = body_bytes
        self._record = usual
        self._watch: UsageWatch | None = None
        self.status: int | None = None

    def answered(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], dialect: Dialect, provider: str
    ) -> UsageWatch:
        """The provider's answer has begun; it may be another provider than was thought."""
        self.status = status
        self._provider = provider
        self._watch = UsageWatch(dialect, headers)
        return self._watch

    def close(self, outcome: Outcome | None) -> None:
        """The request is over; does not raise."""
        if self._watch is not None and self._watch.size > ON_LOOP_BYTES:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(None, self._settled, outcome)
            future.add_done_callback(lambda done: self._hold.close(done.result()))
        else:
            self._hold.close(self._settled(outcome))

    def _settled(self, outcome: Outcome | None) -> Amount:
        try:
            return self._used(outcome)
        except Exception:  # what a request came to must not cost its answer
            log.exception("usage not counted")
            return self._hold.aside or NOTHING

    def _used(self, outcome: Outcome | None) -> Amount:
        if self._watch is None or self.status is None:
            # The client left before there was an answer: the provider has read the question. One that failed has not.
            sent = outcome in LEFT
            return amount_of(self._body_bytes / BYTES_A_TOKEN if sent else 0.0, 0.0, self._rates(self._hold.model))
        if self.status >= 400:
            return NOTHING
        metered, answered = self._watch.read()
        model = answered or self._hold.model
        output = self._relayed(metered, broken=outcome in BROKEN)
        counts = metered.tokens
        if counts.output_tokens is not None and outcome is Outcome.COMPLETED:
            self._record(self._hold.model, float(counts.output_tokens))
        prompt = prompt_of(counts) if metered.passes else self._body_bytes / BYTES_A_TOKEN
        return Amount(prompt + output, self._usd(metered, model, prompt, output))

    def _relayed(self, metered: Metered, *, broken: bool) -> float:
        """Output tokens: as reported, or what was relayed of them where there will be no report."""
        reported = metered.tokens.output_tokens
        if reported is not None and not broken:
            return float(reported)
        assert self._watch is not None
        return max(float(reported or 0), self._watch.said / BYTES_A_TOKEN)

    def _usd(self, metered: Metered, model: str, prompt: float, output: float) -> float:
        book = self._book.prices
        if book is None:
            return 0.0
        reported = metered.tokens.output_tokens
        if metered.passes and isinstance(book, PriceBook):
            known = cost_of(metered, model, self._provider, datetime.now(UTC), book).usd
            if known is not None:
                rates = self._rates(model)
                missing = max(0.0, output - (reported or 0))
                return float(known) + amount_of(0.0, missing, rates).usd
        return amount_of(prompt, output, self._rates(model)).usd

    def _rates(self, model: str) -> Rates | None:
        return rates_of(self._book, model, self._provider, int(self._body_bytes / BYTES_A_TOKEN))


def rates_of(book: Rulebook, model: str, provider: str, prompt: int = 0) -> Rates | None:
    """The price of a model, or the default one of those that have none; None: it costs nothing that counts."""
    key = (model, provider)
    if key not in book.rates:
        book.rates[key] = find_rates(book, model, provider, prompt)
    return book.rates[key]


def find_rates(book: Rulebook, model: str, provider: str, prompt: int) -> Rates | None:
    price: Any = book.prices and book.prices.find(model, provider, Tier.STANDARD, prompt, datetime.now(UTC))
    if price is None or price.input is None or price.output is None:
        return book.default_rates
    return Rates(float(price.input), float(price.output))
