"""`manage.py costs` and `manage.py rollups`, as they are typed."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.models import ModelPrice, RollupHour
from tests.exchanges import Sample, keep, message_stream

pytestmark = pytest.mark.django_db(transaction=True)


def turn(session: str, agent: str = "", output: str = "Hello.", **values: Any) -> Sample:
    headers = [("x-claude-code-session-id", session)]
    headers += [("x-claude-code-agent-id", agent)] if agent else []
    return Sample({"model": "claude-opus-5-5"}, message_stream(output), request_headers=headers, **values)


def ask(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_cost_by_session_agent_key_team_and_model() -> None:
    long = "x" * 24_000
    keep(
        [
            turn("s-1", access_key="ann", team="blue"),
            turn("s-1", "a-1", long, access_key="ann", team="blue"),
            turn("s-2", access_key="bob", team="red"),
            turn("s-2", access_key="bob", team="red", purpose="replay"),
        ]
    )
    sessions = json.loads(ask("costs", "by", "session", "--json"))
    assert [(row["session"], row["requests"]) for row in sessions] == [("s-1", 2), ("s-2", 1)]
    agents = json.loads(ask("costs", "by", "agent", "--session", "s-1", "--json"))
    assert [row["agent"] for row in agents] == ["a-1", None]
    for what, first in (("key", "ann"), ("team", "blue")):
        rows = json.loads(ask("costs", "by", what, "--json"))
        assert rows[0][what] == first
        assert rows[0]["cost_usd"] == sessions[0]["cost_usd"]
    (model,) = json.loads(ask("costs", "by", "model", "--json"))
    assert (model["model"], model["requests"]) == ("claude-opus-5-5", 3)
    assert model["duration_p95_ms"] > 0


def test_a_table_says_unknown_where_a_price_is_missing() -> None:
    keep([Sample({"model": "claude-next"}, message_stream("Hello.", model="claude-next"))])
    table = ask("costs", "by", "model")
    assert "claude-next" in table
    assert "unknown" in table


def test_recomputing_says_what_changed() -> None:
    keep([turn("s-1")])
    ModelPrice.objects.filter(model="claude-opus-5-5").update(input=1)
    assert ask("costs", "recompute") == "1 turns with a usage, 1 with another cost than before\n"
    assert ask("costs", "recompute", "--model", "gpt-4o") == "0 turns with a usage, 0 with another cost than before\n"


def test_rebuilding_brings_back_what_was_lost() -> None:
    keep([turn("s-1"), turn("s-2")])
    ask("rollups", "run")
    RollupHour.objects.all().delete()
    ask("rollups", "rebuild")
    assert sum(RollupHour.objects.values_list("requests", flat=True)) == 2
    assert "hours due    0" in ask("rollups", "status")


def test_a_session_has_agents_and_nothing_else() -> None:
    with pytest.raises(CommandError, match="costs by agent"):
        ask("costs", "by", "model", "--session", "s-1")
