"""Every metric of /metrics: its name without `turnlog_`, its help and its labels. Nothing else may be shown there.

Labels never hold what a caller wrote: providers, credentials and limits are named by the configuration, models as
`gateway/metrics/bounded.py` knows them, all else comes from closed lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

PREFIX = "turnlog_"


class Family(NamedTuple):
    """`bounds`: of a histogram's buckets, upper and inclusive. They may not change under the same name: the table keeps
    counts by place."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    of_several: Callable[[Iterable[float]], float] = sum
    """Makes one value of what several processes say."""


def by_name(*families: Family) -> dict[str, Family]:
    return {family.name: family for family in families}


BY_MODEL = ("provider", "model")
BY_ENDPOINT = (*BY_MODEL, "endpoint")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

COUNTERS = by_name(
    Family(
        "requests_total",
        "Requests in the history, as they ended. Replays and self-tests are not counted.",
        (*BY_MODEL, "dialect", "endpoint", "status", "outcome"),
    ),
    Family(
        "errors_total",
        "Requests that did not complete or were answered with a status of 400 or more, by the kind of error.",
        (*BY_ENDPOINT, "type"),
    ),
    Family(
        "tokens_total",
        "Tokens as the provider counted them. thinking is a part of output, cache_write_1h of cache_write.",
        (*BY_MODEL, "kind"),
    ),
    Family("cost_usd_total", "US dollars by the price table, of the requests whose cost is known.", BY_MODEL),
    Family("metered_requests_total", "Requests whose usage the provider reported.", BY_MODEL),
    Family("unpriced_requests_total", "Requests with a usage and no known cost; cost_usd_total lacks them.", BY_MODEL),
    Family("attempts_total", "Tries to reach a provider, by how they ended.", ("provider", "result")),
    Family("limit_refusals_total", "Requests refused by a limit or budget.", ("limit", "why")),
    Family("queue_refusals_total", "Requests that got no place at a provider.", ("provider", "why")),
    Family("breaker_transitions_total", "Times a breaker of some process changed its state.", (*BY_MODEL, "to")),
    Family(
        "traced_requests_total",
        "Requests that left the queue to the OTLP endpoint: sent, or not and why.",
        ("result",),
    ),
    Family("trace_sends_failed_total", "Batches that the OTLP endpoint did not take and that are tried again."),
    Family("spans_rejected_total", "Spans that the OTLP endpoint said it rejected, of batches it took."),
)
HISTOGRAMS = by_name(
    Family("request_duration_seconds", "From admission to the end of the answer.", BY_ENDPOINT, SECONDS),
    Family("first_byte_seconds", "From admission to the first byte of the answer's body.", BY_ENDPOINT, SECONDS),
    Family(
        "output_tokens_per_second",
        "Pace of streamed answers: output tokens by the time from the first byte to the last.",
        BY_MODEL,
        (5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0),
    ),
    Family(
        "queue_wait_seconds",
        "Time in a provider's queue, of the requests that had to wait.",
        ("provider",),
        (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
    ),
)
BOOKS = by_name(
    Family("records_stored_total", "Exchanges moved from the spool into the history."),
    Family("records_dropped_total", "Requests that were served and are not in the history.", ("reason",)),
    Family("telemetry_requests_total", "Requests to the telemetry endpoints, which keep nothing.", ("kind",)),
)
"""Counters that the loader's books keep."""
OF_PROCESS = ("process",)
GAUGES = by_name(
    Family("processes", "Running processes that have told of themselves lately.", ("role",)),
    Family("draining", "1: takes no new requests and ends its running ones.", OF_PROCESS),
    Family("requests_in_flight", "Requests admitted and not finished."),
    Family("uploads_in_flight", "Requests whose body is being read."),
    Family("queue_waiting", "Requests that wait for a place at a provider.", ("provider",)),
    Family("queue_running", "Requests that hold a place at a provider.", ("provider",)),
    Family("queue_places", "Requests a provider takes at once.", ("provider",)),
    Family("queue_size", "Requests that may wait for a place before others are refused.", ("provider",)),
    Family(
        "limit_at_once_used",
        "Of a limit of requests at once, how many are under way of the one it counts that has the most.",
        ("limit",),
        of_several=max,
    ),
    Family("limit_at_once", "How many requests at once a limit allows each one it counts.", ("limit",), of_several=max),
    Family("breaker_state", "Breakers in the state, each process having its own.", (*BY_MODEL, "state")),
    Family(
        "credential_health", "Processes to which the credential is in the state.", ("provider", "credential", "state")
    ),
    Family("credential_in_flight", "Requests under way with the credential.", ("provider", "credential")),
    Family("provider_up", "0: its health check fails in some process.", ("provider",), of_several=min),
    Family("event_loop_lag_seconds", "How late the event loop was, at worst within 15 s.", OF_PROCESS),
    Family("process_resident_memory_bytes", "Memory in use.", OF_PROCESS),
    Family("process_open_connections", "Connections of clients that are open.", OF_PROCESS),
    Family("process_uptime_seconds", "Since the process began.", OF_PROCESS),
    Family("recorder_backlog_bytes", "Observed and not yet on disk.", OF_PROCESS),
    Family("recorder_keeps_history", "0: what comes in now is not recorded.", OF_PROCESS),
    Family("configuration_read", "0: the configuration in force is an old one, or there is none.", OF_PROCESS),
    Family("spool_records", "Exchanges that the loader has read and not yet stored."),
    Family("spool_open_records", "Exchanges in the spool that have not ended."),
    Family("spool_oldest_seconds", "How long ago the oldest exchange ended that is not in the history.", ("host",)),
    Family("spool_bytes", "Bytes of the spool on disk.", ("host",)),
    Family("loader_suspects", "Exchanges that could not be stored and are tried again."),
    Family("dead_letters", "Exchanges that could not be stored and wait for a person."),
    Family("traced_requests_waiting", "Requests in the history whose spans are still to be sent."),
    Family("active_sessions", "Sessions with a request that began within five minutes and is in the history."),
)
HERE = by_name(
    Family("database_up", "1: the database answers this process; 0: what follows is what this process knows."),
    Family("build_info", "1, with the version that answers.", ("version",)),
)
"""Told by the process that answers, of itself."""
FAMILIES = COUNTERS | HISTOGRAMS | BOOKS | GAUGES | HERE
