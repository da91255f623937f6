from gateway.models.access import ApiKey, Member, Team
from gateway.models.configuration import ConfigurationVersion
from gateway.models.ledger import DeadLetter, SpoolSegment, SpoolTotal
from gateway.models.providers import Credential, Provider
from gateway.models.requests import ChunkTiming, HeaderRecord, RateLimitSample, RequestLog, ResponseLog
from gateway.models.routes import ModelRoute
from gateway.models.stored import StoredBody

__all__ = [
    "ApiKey",
    "ChunkTiming",
    "ConfigurationVersion",
    "Credential",
    "DeadLetter",
    "HeaderRecord",
    "Member",
    "ModelRoute",
    "Provider",
    "RateLimitSample",
    "RequestLog",
    "ResponseLog",
    "SpoolSegment",
    "SpoolTotal",
    "StoredBody",
    "Team",
]
