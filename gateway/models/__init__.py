from gateway.models.access import ApiKey, Member, Team
from gateway.models.configuration import ConfigurationRevision, ConfigurationVersion, GatewaySettings
from gateway.models.ledger import DeadLetter, SpoolSegment, SpoolTotal
from gateway.models.providers import Credential, Provider
from gateway.models.requests import ChunkTiming, HeaderRecord, RateLimitSample, RequestLog, ResponseLog
from gateway.models.routes import ModelRoute, RouteTarget
from gateway.models.stored import StoredBody
from gateway.models.transport import OutboundProxy
from gateway.models.tree import Blob, Epoch, ManifestPage, Node, Scope

__all__ = [
    "ApiKey",
    "Blob",
    "ChunkTiming",
    "ConfigurationRevision",
    "ConfigurationVersion",
    "Credential",
    "DeadLetter",
    "Epoch",
    "GatewaySettings",
    "HeaderRecord",
    "ManifestPage",
    "Member",
    "ModelRoute",
    "Node",
    "OutboundProxy",
    "Provider",
    "RateLimitSample",
    "RequestLog",
    "ResponseLog",
    "RouteTarget",
    "Scope",
    "SpoolSegment",
    "SpoolTotal",
    "StoredBody",
    "Team",
]
