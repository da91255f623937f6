"""The text of /metrics, made of what was read: tallies, books and what processes tell of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from gateway.metrics.families import FAMILIES, GAUGES, HERE, HISTOGRAMS, PREFIX, Family
from gateway.metrics.gauges import Gauge
from gateway.metrics.tallies import Tallies, Tally

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Labels = tuple[str, ...]


class Exposed:
    """What `generate_latest` takes for a registry."""

    def __init__(self, tallies: Tallies, gauges: Iterable[Gauge]) -> None:
        self._tallies: dict[str, dict[Labels, Tally]] = {}
        for (metric, labels), tally in tallies.all.items():
            self._tallies.setdefault(metric, {})[labels] = tally
        self._gauges = values_of(gauges)

    def collect(self) -> Iterator[Any]:
        for name, family in FAMILIES.items():
            if name in GAUGES or name in HERE:
                yield from self._gauge(family)
            elif name in HISTOGRAMS:
                yield from self._histogram(family)
            else:
                yield from self._counter(family)

    def _gauge(self, family: Family) -> Iterator[Any]:
        values = self._gauges.get(family.name)
        if values:
            made = GaugeMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
            for labels, several in sorted(values.items()):
                made.add_metric(labels, family.of_several(several))
            yield made

    def _counter(self, family: Family) -> Iterator[Any]:
        found = self._tallies.get(family.name)
        if found:
            made = CounterMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
            for labels, tally in sorted(found.items(), key=lambda item: item[0]):
                made.add_metric(labels, tally.value)
            yield made

    def _histogram(self, family: Family) -> Iterator[Any]:
        found = self._tallies.get(family.name)
        if found:
            made = HistogramMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
            bounds = [*(f"{bound:g}" for bound in family.bounds), "+Inf"]
            for labels, tally in sorted(found.items(), key=lambda item: item[0]):
                counts = [*tally.buckets, *[0] * (len(bounds) - len(tally.buckets))]
                made.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), tally.value)
            yield made


def values_of(gauges: Iterable[Gauge]) -> dict[str, dict[Labels, list[float]]]:
    """By name and values of the labels, what each process says. What has no family is left out: an older process may
    run beside this one."""
    found: dict[str, dict[Labels, list[float]]] = {}
    for gauge in gauges:
        family = GAUGES.get(gauge.name) or HERE.get(gauge.name)
        if family is not None and gauge.labels.keys() == set(family.labels):
            found.setdefault(gauge.name, {}).setdefault(in_order(family, gauge.labels), []).append(gauge.value)
    return found


def in_order(family: Family, labels: Mapping[str, str]) -> Labels:
    return tuple(labels[name] for name in family.labels)


def render(tallies: Tallies, gauges: Iterable[Gauge]) -> bytes:
    return generate_latest(Exposed(tallies, gauges))
