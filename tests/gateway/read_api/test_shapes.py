"""Field names, literally as the clients of this API spell them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from gateway.read_api.routes import api

SHAPES = {
    "PromptGrade": "score maxScore feedback improvedPrompt criteria gradingTimestamp isProcessing",
    "CriteriaScore": "score feedback",
    "RequestLog": "requestId timestamp method endpoint headers body model originalModel routedModel userAgent "
    "contentType promptGrade response conversationHash messageCount organizationId",
    "ResponseLog": "statusCode headers body bodyText streamError responseTime streamingChunks chunkTimings isStreaming "
    "completedAt rateLimit",
    "ChunkTiming": "index timestamp byteSize elapsedMs",
    "RateLimitInfo": "organizationId requestsLimit requestsRemaining requestsReset tokensLimit tokensRemaining "
    "tokensReset unifiedStatus unifiedUtilization5h unifiedReset5h unifiedUtilization7d unifiedReset7d "
    "unifiedFallbackPercentage unifiedOverageStatus unifiedRepresentativeClaim",
    "AnthropicUsage": "input_tokens output_tokens cache_creation_input_tokens cache_read_input_tokens service_tier",
    "RequestSummary": "requestId timestamp method endpoint model originalModel routedModel statusCode responseTime "
    "usage conversationHash messageCount stopReason",
    "DashboardStats": "dailyStats",
    "HourlyStatsResponse": "hourlyStats todayTokens todayRequests avgResponseTime",
    "ModelStatsResponse": "modelStats",
    "DailyTokens": "date tokens requests models",
    "HourlyTokens": "hour label tokens requests models",
    "DailyModelStat": "tokens requests",
    "ModelTokens": "model tokens requests",
    "ProxySettings": "requestHeaderRules responseHeaderRules",
    "HeaderRuleObject": "header action value find enabled",
    "GradeRequest": "messages systemMessages requestId",
    "ProviderStats": "provider requests inputTokens outputTokens totalTokens avgResponseMs errorCount",
    "SubagentStats": "subagentName provider targetModel requests inputTokens outputTokens totalTokens avgResponseMs",
    "ToolStats": "toolName usageCount callCount avgCallsPerRequest",
    "PerformanceStats": "provider model avgResponseMs p50ResponseMs p95ResponseMs p99ResponseMs avgFirstByteMs "
    "requestCount",
    "ConversationMatch": "conversationId matchCount lastActivity",
    "Conversation": "id requestCount startTime lastActivity duration firstMessage",
    "Error": "error details",
    "LatestDate": "latestDate",
}
MORE = {
    "PromptGrade": {"error"},
    "RequestLog": {"bodyText", "provider", "statusCode", "responseTime", "firstByteTime", "usage", "stopReason"},
    "RequestSummary": {"provider", "firstByteTime"},
    "SubagentStats": {"agents"},
    "Conversation": {"agentCount", "errorCount", "models"},
}
"""What Turnlog tells besides."""


@pytest.mark.parametrize("name", SHAPES)
def test_the_document_spells_it_so(name: str) -> None:
    fields = set(api.get_openapi_schema()["components"]["schemas"][name]["properties"])
    assert fields - MORE.get(name, set()) == set(SHAPES[name].split())


@pytest.mark.django_db
def test_the_document_is_open_and_names_its_errors() -> None:
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    document: Any = answer.json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"401", "403"} <= set(operation["responses"]), (path, method)
            ok = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert "$ref" in ok, (path, method)


@pytest.mark.django_db
def test_the_page_of_the_document_has_every_route_and_shape() -> None:
    page = Client().get("/api/v1/docs").content.decode()
    document = api.get_openapi_schema()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<h2>{method.upper()} {path}</h2>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    for linked in set(re.findall(r'href="#(\w*)"', page)):
        assert f'id="{linked}"' in page
