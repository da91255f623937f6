"""Values of labels: whatever a caller or a provider says becomes one of a closed list, or of what is configured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.dialects.failures import FAILURES
from gateway.dialects.names import BROKEN
from gateway.policy.surfaces import ANTHROPIC_FAMILIES, OPENAI_FAMILIES, SHARED_FAMILIES
from gateway.pricing.price_book import names_of

NONE, OTHER = "none", "other"
WHOLE_PATHS = frozenset(
    {
        "/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches", "/v1/chat/completions", "/v1/responses",
        "/v1/responses/input_tokens", "/v1/embeddings", "/v1/models", "/v1/files", "/v1/complete", "/v1/completions",
        "/v1/moderations", "/v1/batches", "/v1/images/generations",
    }
)  # fmt: skip
FAMILIES = ANTHROPIC_FAMILIES | OPENAI_FAMILIES | SHARED_FAMILIES | {"chat", "responses"}
ERROR_TYPES = frozenset(
    {name for failure in FAILURES.values() for name in (failure.anthropic_type, failure.openai_type) if name}
    | {failure.openai_code for failure in FAILURES.values() if failure.openai_code}
    | {"tokens", "model_not_found", "invalid_prompt", "server_is_overloaded", "content_filter", "usage_limit_reached"}
)
PHASES = frozenset({"connect", "write", "headers", "body", "plan"})
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
CONFIGURED = """
SELECT model FROM gateway_modelprice
UNION SELECT match FROM gateway_modelroute
UNION SELECT model FROM gateway_modelroute
UNION SELECT model FROM gateway_routetarget
"""


class KnownModels:
    """Those the price table and the routes name; every other is `other`."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(name for name in names if name and not set("*?") & set(name))

    def label(self, model: str | None) -> str:
        """As it is configured: mostly without the date of its snapshot."""
        if not model:
            return NONE
        return next((name for name in names_of(model) if name in self._names), OTHER)

    def labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """The same, and a model among them as `label` has it."""
        return {**labels, "model": self.label(labels["model"])} if "model" in labels else labels


def read_known_models(cursor: Any) -> KnownModels:
    """By a psycopg cursor. Raises psycopg.Error."""
    return KnownModels(row[0] for row in cursor.execute(CONFIGURED).fetchall())


def endpoint(path: str) -> str:
    """`/v1/messages`, `/v1/responses/*`, `other`."""
    if path in WHOLE_PATHS:
        return path
    family = path.removeprefix("/v1/").partition("/")[0] if path.startswith("/v1/") else ""
    return f"/v1/{family}/*" if family in FAMILIES else OTHER


def status_class(status: int | None) -> str:
    if status is None:
        return NONE
    return STATUS_CLASSES[status // 100 - 1] if 100 <= status < 600 else OTHER


def error_type(said: str | None, outcome: str, status: int | None) -> str:
    """What the answer says, where that is a known name; else how the exchange broke, else the class of its status."""
    if said is not None:
        return said if said in ERROR_TYPES else OTHER
    return outcome if outcome in BROKEN else f"status_{status_class(status)}"


def attempt_result(error: str | None, phase: str | None, status: int | None) -> str:
    """The class of its status; where it failed, in which phase."""
    if error is not None:
        return phase if phase in PHASES else OTHER
    return status_class(status)
