from gateway.models.access import ApiKey, Member, Team
from gateway.models.configuration import ConfigurationRevision, ConfigurationVersion, GatewaySettings
from gateway.models.ledger import DeadLetter, SpoolSegment, SpoolTotal
from gateway.models.providers import Credential, Provider
from gateway.models.requests import ChunkTiming, HeaderRecord, RateLimitSample, RequestLog, ResponseLog
from gateway.models.routes import ModelRoute, RouteTarget
from gateway.models.stored import StoredBody
from gateway.models.transport import OutboundProxy

__all__ = [
    "ApiKey",
    "ChunkTiming",
    "ConfigurationRevision",
    "ConfigurationVersion",
    "Credential",
    "DeadLetter",
    "GatewaySettings",
    "HeaderRecord",
    "Member",
    "ModelRoute",
    "OutboundProxy",
    "Provider",
    "RateLimitSample",
    "RequestLog",
    "ResponseLog",
    "RouteTarget",
    "SpoolSegment",
    "SpoolTotal",
    "StoredBody",
    "Team",
]
