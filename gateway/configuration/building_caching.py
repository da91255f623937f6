"""The rules of the snapshot about answers that are given again."""

from __future__ import annotations

import hashlib

from gateway.configuration.tables import Row, Tables
from gateway.policy.caching_rules import CacheRule, Caching, Clearing

MIB = 1024 * 1024


def build_caching(tables: Tables) -> Caching | None:
    """None: nothing is kept."""
    if not tables.cache_rules:
        return None
    rows = sorted(tables.cache_rules, key=lambda row: (row["position"], row["name"]))
    way = repr((tables.header_rules, tables.providers)).encode()
    return Caching(
        rules=tuple(rule_of(row) for row in rows),
        clearings=tuple(clearing_of(row) for row in tables.cache_clearings),
        max_bytes=tables.settings.get("cache_max_bytes", 64 * MIB),
        mark=hashlib.sha256(way).hexdigest(),
    )


def rule_of(row: Row) -> CacheRule:
    return CacheRule(
        name=row["name"],
        models=tuple(row["models"]),
        keys=tuple(row["keys"]),
        teams=tuple(row["teams"]),
        seconds=row["ttl_seconds"],
        max_bytes=row["max_answer_bytes"],
        ignored=frozenset(name.encode() for name in row["ignore_fields"]),
        varied=tuple(name.lower().encode() for name in row["vary_headers"]),
        keeps=row["store"] != "nowhere",
        in_redis=row["store"] == "redis",
        joins=row["join"],
    )


def clearing_of(row: Row) -> Clearing:
    return Clearing(row["at"].timestamp(), row["model"], row["key"], row["team"])
