"""What content rules found is told, by those of them that alert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.urls import reverse

from gateway.announcing.announce import announce
from gateway.history.findings import Noted

SEVERITIES: Final = {"high": "critical", "medium": "warning", "low": "info"}


def announce_findings(noted: Iterable[Noted]) -> None:
    """Once for a kind, a rule and a request, whatever the number of places."""
    for each in noted:
        if each.alerts:
            whose = f" of team {each.team}" if each.team else ""
            announce(
                "finding",
                SEVERITIES[each.severity],
                f"{each.kind} in a request{whose}",
                f"The content rule {each.rule} found it in request {each.request_id}.",
                reverse("admin:gateway_finding_change", args=[each.id]),
                f"finding:{each.rule}:{each.kind}:{each.request_id}",
                each.team,
            )
