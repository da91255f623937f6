"""Who asks in the demonstration: teams, their keys, their clients."""

from __future__ import annotations

import random
from typing import NamedTuple


class Caller(NamedTuple):
    team: str
    access_key: str
    model: str
    client_version: str
    address: str


TEAMS = {"atlas": 5, "borealis": 3, "checkout": 4, "data": 2, "platform": 6}
MODELS = {"claude-opus-5-5": 3, "claude-sonnet-5-5": 5, "claude-haiku-5-5": 2}
VERSIONS = ("2.1.317", "2.1.324", "2.1.329")


def choose(source: random.Random) -> Caller:
    team = source.choices(list(TEAMS), list(TEAMS.values()))[0]
    number = source.randrange(TEAMS[team] * 2)
    model = source.choices(list(MODELS), list(MODELS.values()))[0]
    address = f"10.20.{sorted(TEAMS).index(team)}.{number + 10}"
    return Caller(team, f"{team}-{number + 1}", model, source.choice(VERSIONS), address)
