"""Readings of what the running processes know of their providers: breakers, credentials, queues and places.

Each process tells it when it changes, and every half minute when not; one that has told nothing for longer is dead.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from gateway.models import AlertRule, Credential, FleetState, Provider
from gateway.policy.alerting import Reading

DEAD = datetime.timedelta(seconds=90)
MOST_PROCESSES = 200


class Fleet:
    """Of one look."""

    def __init__(self, now: datetime.datetime) -> None:
        self._now = now
        self._known: list[FleetState] | None = None

    def breakers(self, rule: AlertRule) -> Iterator[Reading]:
        """In how many processes each is open, whether by failures or held by a person."""
        found: dict[tuple[str, str], int] = defaultdict(int)
        for _, entry in self._entries("breakers"):
            found[entry["provider"], entry["model"]] += entry["state"] == "open"
        for (provider, model), number in found.items():
            link = "/admin/gateway/breakertransition/?" + urlencode({"provider": provider})
            yield Reading(f"{provider} {model}".strip(), number, provider, model, link=link)

    def credentials(self, rule: AlertRule) -> Iterator[Reading]:
        """In percent of those a provider has; one that any process may not use counts."""
        enabled = Credential.objects.filter(enabled=True).select_related("provider")
        blocked = Q(blocked=True) & (Q(blocked_until=None) | Q(blocked_until__gt=self._now))
        unusable = {(row.provider.name, row.name) for row in enabled.filter(blocked)}
        for row, entry in self._entries("credentials"):
            rests_until = row.told_at + datetime.timedelta(seconds=entry["rests_seconds"])
            if entry["rejected"] or rests_until > self._now:
                unusable.add((entry["provider"], entry["name"]))
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for credential in enabled:
            count = counts[credential.provider.name]
            count[0] += 1
            count[1] += (credential.provider.name, credential.name) in unusable
        for provider, (number, limited) in counts.items():
            yield Reading(provider, 100 * limited / number, provider, link="/admin/gateway/credential/")

    def queue_depth(self, rule: AlertRule) -> Iterator[Reading]:
        """Over all processes."""
        waiting: dict[str, int] = defaultdict(int)
        for _, entry in self._entries("queues"):
            waiting[entry["provider"]] += entry["waiting"]
        for provider, number in waiting.items():
            yield of_provider(provider, number)

    def queue_fill(self, rule: AlertRule) -> Iterator[Reading]:
        """In percent, in the fullest process: each has a queue of its own."""
        room = dict(Provider.objects.values_list("name", "queue_size"))
        yield from self._fullest("waiting", room)

    def places_used(self, rule: AlertRule) -> Iterator[Reading]:
        room = dict(Provider.objects.filter(max_in_flight__isnull=False).values_list("name", "max_in_flight"))
        yield from self._fullest("running", room)

    def _fullest(self, what: str, room: dict[str, Any]) -> Iterator[Reading]:
        shares: dict[str, float] = {}
        for _, entry in self._entries("queues"):
            if room.get(entry["provider"]):
                share = 100 * entry[what] / room[entry["provider"]]
                shares[entry["provider"]] = max(shares.get(entry["provider"], 0.0), share)
        for provider, share in shares.items():
            yield of_provider(provider, share)

    def _entries(self, name: str) -> Iterator[tuple[FleetState, dict[str, Any]]]:
        if self._known is None:
            living = FleetState.objects.filter(told_at__gt=self._now - DEAD)
            self._known = list(living.order_by("process")[:MOST_PROCESSES])
        for row in self._known:
            for entry in row.state.get(name, ()):
                yield row, entry


def of_provider(provider: str, value: float) -> Reading:
    return Reading(provider, value, provider, link="/admin/gateway/fleetstate/")
