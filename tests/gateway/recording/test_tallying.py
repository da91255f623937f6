"""What is stored is counted: once, with the rows, and never by names that others chose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from gateway.dialects.names import Outcome
from gateway.history.writer import ExchangeRows
from gateway.metrics.bounded import KnownModels
from gateway.metrics.exposition import render
from gateway.metrics.families import COUNTERS, HISTOGRAMS
from gateway.metrics.gauges import Gauge
from gateway.metrics.tallies import LiveTallies, Tallies, read_tallies
from gateway.models import ModelRoute, Provider
from gateway.recording import failpoints
from gateway.recording.loader import Loader
from gateway.recording.recorder import Recorder
from gateway.recording.rows import RowBuilder
from gateway.recording.tallying import count
from tests.exchanges import Sample, message_stream
from tests.gateway.recording.recording import record, with_recorder

pytestmark = pytest.mark.django_db(transaction=True)

Load = Callable[[], Loader]
OPUS = KnownModels(["claude-opus-5-5"])
QUESTION = {"model": "claude-opus-5-5", "stream": True, "max_tokens": 10, "messages": []}
HOSTILE = 'x"} 1\nturnlog_cost_usd_total{model="'


def read() -> Tallies:
    connection.ensure_connection()
    return read_tallies(connection.connection.execute)


def total(tallies: Tallies, metric: str) -> float:
    return sum(tally.value for (name, _), tally in tallies.all.items() if name == metric)


def counted(*samples: Sample) -> Tallies:
    tallies = Tallies()
    for sample in samples:
        rows: ExchangeRows = RowBuilder().build(sample.recorded())
        count(tallies, rows, OPUS)
    return tallies


def values(tallies: Tallies, metric: str) -> dict[tuple[str, ...], float]:
    return {labels: tally.value for (name, labels), tally in tallies.all.items() if name == metric}


def test_a_whole_stream_is_counted_in_every_way() -> None:
    tallies = counted(Sample(QUESTION, gaps_ms=[2_000]))
    model = ("anthropic", "claude-opus-5-5")
    told_apart = (*model, "anthropic", "/v1/messages", "2xx", "completed")
    assert values(tallies, "requests_total") == {told_apart: 1}
    assert values(tallies, "errors_total") == {}
    assert values(tallies, "attempts_total") == {("anthropic", "2xx"): 1}
    tokens = values(tallies, "tokens_total")
    assert tokens[*model, "input"] == 2_864
    assert tokens[*model, "cache_read"] == 39_844
    assert (*model, "thinking") not in tokens
    assert values(tallies, "metered_requests_total") == {model: 1}
    assert values(tallies, "unpriced_requests_total") == {model: 1}
    assert values(tallies, "cost_usd_total") == {}
    first = tallies.all["first_byte_seconds", (*model, "/v1/messages")]
    assert (first.value, sum(first.buckets)) == (0.9, 1)
    assert first.buckets.index(1) == HISTOGRAMS["first_byte_seconds"].bounds.index(1.0)
    assert sum(tallies.all["output_tokens_per_second", model].buckets) == 1


def test_what_nobody_reported_is_no_zero() -> None:
    tallies = counted(Sample(b"no json", chunks=(), status=500, outcome=Outcome.UPSTREAM_ERROR))
    assert {metric for metric, _ in tallies.all} == {
        "requests_total", "errors_total", "attempts_total", "request_duration_seconds",
    }  # fmt: skip


@pytest.mark.parametrize("purpose", ["replay", "selftest"])
def test_our_own_requests_are_no_usage(purpose: str) -> None:
    assert counted(Sample(QUESTION, purpose=purpose)).all == {}


def test_hostile_names_reach_no_label_and_break_no_line() -> None:
    samples = [
        Sample(QUESTION | {"model": HOSTILE + str(number)}, message_stream("a", model=HOSTILE + str(number)))
        for number in range(50)
    ]
    error = (
        b'{"type":"error","error":{"type":"\\u0000' + HOSTILE.encode().replace(b'"', b"").replace(b"\n", b"") + b'"}}'
    )
    samples.append(
        Sample(
            QUESTION, [error], status=400, outcome=Outcome.UPSTREAM_ERROR, path="/v1/" + HOSTILE,
            response_headers=[("content-type", "application/json")],
        )
    )  # fmt: skip
    tallies = counted(*samples)
    assert {labels[1] for labels in values(tallies, "requests_total")} == {"other", "claude-opus-5-5"}
    assert list(values(tallies, "errors_total")) == [("anthropic", "claude-opus-5-5", "other", "other")]
    text = render(tallies, [Gauge("credential_in_flight", 1, {"provider": "a", "credential": HOSTILE})]).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert sum(sample.value for sample in families["turnlog_requests"].samples) == 51
    [odd] = families["turnlog_credential_in_flight"].samples
    assert odd.labels["credential"] == HOSTILE
    assert HOSTILE not in text


def test_each_exchange_is_counted_once_however_often_it_is_loaded(spool_dir: Path, load: Load) -> None:
    def three(recorder: Recorder) -> None:
        for _ in range(3):
            record(recorder)

    with_recorder(spool_dir, three)
    with failpoints.fault("commit"):
        load()
        assert read().all == {}
    load()
    load()
    assert total(read(), "requests_total") == 3
    assert {name for name, _ in read().all} <= COUNTERS.keys() | HISTOGRAMS.keys()
    with_recorder(spool_dir, three)
    load()
    assert total(read(), "requests_total") == 6
    [duration] = [tally for (name, _), tally in read().all.items() if name == "request_duration_seconds"]
    assert sum(duration.buckets) == 6


def test_a_model_counts_by_its_name_from_when_a_route_names_it(spool_dir: Path, load: Load) -> None:
    def ask(recorder: Recorder) -> None:
        record(recorder, b'{"model":"house-model"}', [b'{"type":"message","model":"house-model","content":[]}'])

    with_recorder(spool_dir, ask)
    load()
    ModelRoute.objects.create(match="house-model", provider=Provider.objects.get(name="anthropic"))
    with_recorder(spool_dir, ask)
    load()
    models = {labels[1]: value for labels, value in values(read(), "requests_total").items()}
    assert models == {"other": 1, "house-model": 1}


def test_whole_numbers_and_broken_ones_are_written_together() -> None:
    tallies = Tallies()
    tallies.add("tokens_total", ("a", "m", "input"), 7)
    tallies.add("cost_usd_total", ("a", "m"), 0.25)
    with connection.cursor() as cursor:
        tallies.write(cursor.execute, 1)
    assert {name: tally.value for (name, _), tally in read().all.items()} == {
        "tokens_total": 7.0, "cost_usd_total": 0.25,
    }  # fmt: skip


def test_shards_are_added_up_and_histograms_place_by_place() -> None:
    for shard, seconds in ((1, 0.3), (1, 0.3), (2, 7.0)):
        tallies = Tallies()
        tallies.observe("queue_wait_seconds", ("a",), seconds)
        tallies.add("limit_refusals_total", ("l", "full"))
        with connection.cursor() as cursor:
            tallies.write(cursor.execute, shard)
    wait = read().all["queue_wait_seconds", ("a",)]
    bounds = HISTOGRAMS["queue_wait_seconds"].bounds
    assert wait.value == pytest.approx(7.6)
    assert [wait.buckets[bounds.index(0.5)], wait.buckets[bounds.index(10.0)], sum(wait.buckets)] == [2, 1, 3]
    assert read().all["limit_refusals_total", ("l", "full")].value == 3


def test_what_a_web_process_counts_is_kept_until_it_is_written() -> None:
    live = LiveTallies()

    async def refuse() -> None:
        live.add("limit_refusals_total", "l", "full")

    asyncio.run(refuse())
    live.write("host")
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM gateway_metrictally")  # as if the transaction had failed
    live.add("limit_refusals_total", "l", "full")
    live.write("host")
    live.written()
    live.write("host")
    assert read().all["limit_refusals_total", ("l", "full")].value == 2
