"""Claude Code's telemetry (OTLP over HTTP): acknowledged and counted, never sent to a provider."""

from __future__ import annotations

from ninja import Router

from gateway.api.refusals import read_or_refuse
from gateway.api.replies import Reply, bytes_reply
from gateway.api.request import GatewayRequest

PROTOBUF = b"application/x-protobuf"
router = Router(tags=["Telemetry"])


@router.post("/v1/metrics")
async def take_metrics(request: GatewayRequest) -> Reply:
    """Acknowledged, counted and dropped."""
    return await acknowledge(request, "metrics")


@router.post("/v1/logs")
async def take_logs(request: GatewayRequest) -> Reply:
    """Acknowledged, counted and dropped."""
    return await acknowledge(request, "logs")


@router.post("/v1/traces")
async def take_traces(request: GatewayRequest) -> Reply:
    """Acknowledged, counted and dropped."""
    return await acknowledge(request, "traces")


async def acknowledge(request: GatewayRequest, kind: str) -> Reply:
    """An empty answer in the encoding of the request means: everything was taken."""
    await read_or_refuse(request)
    request.runtime.recorder.count_telemetry(kind)
    content_type = (request.header(b"content-type") or b"").split(b";")[0].strip().lower()
    if content_type == PROTOBUF:
        return bytes_reply(200, b"", PROTOBUF)
    return bytes_reply(200, b"{}", b"application/json")
