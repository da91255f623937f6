from gateway.models.access import ApiKey, Member, Team
from gateway.models.alerts import Alert, AlertChannel, AlertCount, AlertRule, Announcement, Delivery
from gateway.models.backups import BackupRecord
from gateway.models.breakers import BreakerHold, BreakerTransition, FleetState
from gateway.models.caching import CacheClearing, CacheRule
from gateway.models.capabilities import Capability
from gateway.models.capture import CapturePolicy
from gateway.models.configuration import ConfigurationRevision, ConfigurationVersion, GatewaySettings
from gateway.models.content import ContentRule, Finding, Redaction
from gateway.models.grading import Grade, GradedRequest, GradingSettings, Rubric
from gateway.models.header_rules import HeaderRule, HeaderRuleDryRun
from gateway.models.ledger import DeadLetter, SpoolSegment, SpoolTotal
from gateway.models.limits import Budget, BudgetEvent, BudgetStanding, Limit
from gateway.models.metrics import MetricTally, ProcessGauges
from gateway.models.prices import CostRun, InstalledListPrice, ModelPrice
from gateway.models.providers import Credential, Provider
from gateway.models.requests import ChunkTiming, HeaderRecord, RateLimitSample, RequestLog, ResponseLog
from gateway.models.retention import DroppedMonth, ErasedExchange, ErasureCertificate, LegalHold, RetentionTerm
from gateway.models.rollups import OverallDay, OverallHour, RollupDay, RollupDue, RollupHour, RollupRemoved, RollupZone
from gateway.models.routes import ModelRoute, RouteTarget
from gateway.models.search import SearchQueue, SearchText
from gateway.models.spans import TraceReceiver, WaitingTrace
from gateway.models.stored import StoredBody, WithdrawnResponse
from gateway.models.transport import OutboundProxy
from gateway.models.tree import Blob, Epoch, ManifestPage, Node, Scope

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertCount",
    "AlertRule",
    "Announcement",
    "ApiKey",
    "BackupRecord",
    "Blob",
    "BreakerHold",
    "BreakerTransition",
    "Budget",
    "BudgetEvent",
    "BudgetStanding",
    "CacheClearing",
    "CacheRule",
    "Capability",
    "CapturePolicy",
    "ChunkTiming",
    "ConfigurationRevision",
    "ConfigurationVersion",
    "ContentRule",
    "CostRun",
    "Credential",
    "DeadLetter",
    "Delivery",
    "DroppedMonth",
    "Epoch",
    "ErasedExchange",
    "ErasureCertificate",
    "Finding",
    "FleetState",
    "GatewaySettings",
    "Grade",
    "GradedRequest",
    "GradingSettings",
    "HeaderRecord",
    "HeaderRule",
    "HeaderRuleDryRun",
    "InstalledListPrice",
    "LegalHold",
    "Limit",
    "ManifestPage",
    "Member",
    "MetricTally",
    "ModelPrice",
    "ModelRoute",
    "Node",
    "OutboundProxy",
    "OverallDay",
    "OverallHour",
    "ProcessGauges",
    "Provider",
    "RateLimitSample",
    "Redaction",
    "RequestLog",
    "ResponseLog",
    "RetentionTerm",
    "RollupDay",
    "RollupDue",
    "RollupHour",
    "RollupRemoved",
    "RollupZone",
    "RouteTarget",
    "Rubric",
    "Scope",
    "SearchQueue",
    "SearchText",
    "SpoolSegment",
    "SpoolTotal",
    "StoredBody",
    "Team",
    "TraceReceiver",
    "WaitingTrace",
    "WithdrawnResponse",
]
