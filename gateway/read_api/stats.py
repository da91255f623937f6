"""`/stats…`: sums by hour and day out of the rollups, and figures of the newest requests where there are no sums."""

from __future__ import annotations

import datetime
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from ninja import Query

from gateway.history.figures import HISTOGRAMS, TIME, Figures, read_mean
from gateway.history.latency import mean
from gateway.read_api.access import caller_of
from gateway.read_api.application import NARROWED, api
from gateway.read_api.sampling import Sample, read_subagents, read_tools
from gateway.read_api.spans import Times, hours, sums
from gateway.read_api.stat_shapes import (
    DashboardStats,
    HourlyStatsResponse,
    ModelStatsResponse,
    PerformanceStatsResponse,
    ProviderStatsResponse,
    SubagentStatsResponse,
    ToolStatsResponse,
    counted,
    tokens_of,
    whole,
)

UTC = datetime.UTC


@api.get("/stats", response={200: DashboardStats, **NARROWED}, summary="Tokens and requests by day")
def daily(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    """Days of UTC."""
    days = groupby(by_time(request, times), key=lambda figures: figures.group[TIME].astimezone(UTC).date())
    return {"dailyStats": [{"date": day.isoformat(), **counted(list(parts))} for day, parts in days]}


@api.get(
    "/stats/hourly",
    response={200: HourlyStatsResponse, **NARROWED},
    exclude_none=True,
    summary="Tokens and requests by hour",
)
def hourly(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    today = datetime.datetime.now(UTC).date()
    of_today = {"todayTokens": 0, "todayRequests": 0}
    for hour, parts in groupby(by_time(request, times), key=lambda figures: figures.group[TIME].astimezone(UTC)):
        found.append({"hour": hour.hour, "label": f"{hour:%Y-%m-%d %H:00}", **counted(list(parts))})
        if hour.date() == today:
            of_today["todayTokens"] += found[-1]["tokens"]
            of_today["todayRequests"] += found[-1]["requests"]
    mean_ms = read_mean(hours(times), "duration", teams=caller_of(request).figures.teams)
    return {"hourlyStats": found, **of_today, "avgResponseTime": whole(mean_ms)}


def by_time(request: HttpRequest, times: Times) -> list[Figures]:
    return sorted(sums(request, times, TIME, "model"), key=lambda figures: figures.group[TIME])


@api.get("/stats/models", response={200: ModelStatsResponse, **NARROWED}, summary="Tokens and requests by model")
def models(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found = counted(sums(request, times, "model"))["models"]
    rows = [{"model": model, **entry} for model, entry in found.items()]
    return {"modelStats": sorted(rows, key=lambda row: -row["tokens"])}


@api.get(
    "/stats/providers",
    response={200: ProviderStatsResponse, **NARROWED},
    exclude_none=True,
    summary="Requests and tokens by provider",
)
def providers(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found = sums(request, times, "provider", latencies=HISTOGRAMS)
    return times.told() | {
        "providers": [
            {
                "provider": figures.group["provider"] or "unknown",
                "requests": figures.sums["requests"],
                "inputTokens": figures.sums["input_tokens"],
                "outputTokens": figures.sums["output_tokens"],
                "totalTokens": tokens_of(figures),
                "avgResponseMs": whole(mean(figures.counts["duration"])),
                "errorCount": figures.sums["errors"],
            }
            for figures in found
        ]
    }


@api.get(
    "/stats/performance",
    response={200: PerformanceStatsResponse, **NARROWED},
    exclude_none=True,
    summary="Latencies by provider and model",
)
def performance(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found = sums(request, times, "provider", "model", latencies=HISTOGRAMS)
    return times.told() | {
        "stats": [
            {
                "provider": figures.group["provider"] or "unknown",
                "model": figures.group["model"] or "unknown",
                "avgResponseMs": whole(mean(figures.counts["duration"])),
                **{f"p{of}ResponseMs": whole(figures.latency("duration", of / 100)) for of in (50, 95, 99)},
                "avgFirstByteMs": whole(mean(figures.counts["first_byte"])),
                "requestCount": figures.sums["requests"],
            }
            for figures in found
        ]
    }


@api.get(
    "/stats/subagents",
    response={200: SubagentStatsResponse, **NARROWED},
    exclude_none=True,
    summary="What subagents took, of the newest requests",
)
def subagents(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    sample = read_subagents(caller_of(request).figures, *times.bounds())
    return told(times, sample) | {"subagents": sample.rows}


@api.get(
    "/stats/tools",
    response={200: ToolStatsResponse, **NARROWED},
    exclude_none=True,
    summary="Tools offered and called, of the newest requests",
)
def tools(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    """Tools are part of what was said: of teams whose figures alone may be seen nothing is told."""
    sample = read_tools(caller_of(request).sight, *times.bounds())
    return told(times, sample) | {"tools": sample.rows}


def told(times: Times, sample: Sample) -> dict[str, Any]:
    return times.told() | {"requestsRead": sample.read, "isCapped": sample.capped}
