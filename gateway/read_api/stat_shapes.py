"""What `/stats` answers, spelled as its clients know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ninja import Schema

from gateway.history.figures import Figures

ALL_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class DailyModelStat(Schema):
    tokens: int
    requests: int


class DailyTokens(Schema):
    date: str
    tokens: int
    requests: int
    models: dict[str, DailyModelStat]


class DashboardStats(Schema):
    dailyStats: list[DailyTokens]


class HourlyTokens(Schema):
    """`hour` of UTC, 0 to 23; `label` has the day with it."""

    hour: int
    label: str
    tokens: int
    requests: int
    models: dict[str, DailyModelStat]


class HourlyStatsResponse(Schema):
    """`today` is the day in UTC that is now, as far as it is in the time asked for. Milliseconds, within 5 %."""

    hourlyStats: list[HourlyTokens]
    todayTokens: int
    todayRequests: int
    avgResponseTime: int | None = None


class ModelTokens(Schema):
    model: str
    tokens: int
    requests: int


class ModelStatsResponse(Schema):
    modelStats: list[ModelTokens]


class Spanned(Schema):
    startTime: str
    endTime: str


class ProviderStats(Schema):
    provider: str
    requests: int
    inputTokens: int | None = None
    outputTokens: int | None = None
    totalTokens: int
    avgResponseMs: int | None = None
    errorCount: int


class ProviderStatsResponse(Spanned):
    providers: list[ProviderStats]


class PerformanceStats(Schema):
    """Milliseconds, within 5 %."""

    provider: str
    model: str
    avgResponseMs: int | None = None
    p50ResponseMs: int | None = None
    p95ResponseMs: int | None = None
    p99ResponseMs: int | None = None
    avgFirstByteMs: int | None = None
    requestCount: int


class PerformanceStatsResponse(Spanned):
    stats: list[PerformanceStats]


class Sampled(Spanned):
    """`requestsRead`: of so many of the newest requests this is; `isCapped`: there are older ones in this time."""

    requestsRead: int
    isCapped: bool


class SubagentStats(Schema):
    """A client tells its subagents apart by ids: `subagentName` is the class it tells, `agents` how many there were."""

    subagentName: str
    provider: str
    targetModel: str
    agents: int
    requests: int
    inputTokens: int | None = None
    outputTokens: int | None = None
    totalTokens: int
    avgResponseMs: int | None = None


class SubagentStatsResponse(Sampled):
    subagents: list[SubagentStats]


class ToolStats(Schema):
    """`usageCount`: requests that offered it; `callCount`: calls of it in answers."""

    toolName: str
    usageCount: int
    callCount: int
    avgCallsPerRequest: float | None = None


class ToolStatsResponse(Sampled):
    tools: list[ToolStats]


def tokens_of(figures: Figures) -> int:
    """All kinds together, as far as they were told."""
    return sum(figures.sums[name] or 0 for name in ALL_TOKENS)


def counted(found: Sequence[Figures]) -> dict[str, Any]:
    """Tokens and requests, and both by model."""
    models: dict[str, dict[str, int]] = {}
    for figures in found:
        entry = models.setdefault(figures.group["model"] or "unknown", {"tokens": 0, "requests": 0})
        entry["tokens"] += tokens_of(figures)
        entry["requests"] += figures.sums["requests"]
    return {
        "tokens": sum(entry["tokens"] for entry in models.values()),
        "requests": sum(entry["requests"] for entry in models.values()),
        "models": models,
    }


def whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)
