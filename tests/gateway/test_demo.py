"""`manage.py demo` fills the history with what real clients would have left there."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gateway.history.conversation.loading import load_sessions
from gateway.history.conversation.turns import Mark
from gateway.history.verification import Progress, verify
from gateway.models import Node, RateLimitSample, RequestLog, ResponseLog, RollupHour, StoredBody
from tests.embedded.commands import manage

pytestmark = pytest.mark.django_db(transaction=True)


def demo(*arguments: str) -> None:
    call_command("demo", *arguments, stdout=io.StringIO(), stderr=io.StringIO())


def test_a_demonstration_is_stored_as_real_turns_are() -> None:
    demo("--turns", "500", "--days", "20")
    rows = RequestLog.objects.all()
    assert rows.count() == 500
    assert rows.order_by("team").values("team").distinct().count() >= 3
    assert rows.exclude(agent_id=None).exists()
    assert {"completed", "upstream_error"} <= set(rows.values_list("outcome", flat=True))
    assert set(StoredBody.objects.filter(part=0).values_list("codec", flat=True)) == {"split"}
    priced = ResponseLog.objects.exclude(cost_usd=None).count()
    assert priced > 450
    assert RollupHour.objects.exists()
    assert Node.objects.filter(depth__gt=20).exists()
    assert RateLimitSample.objects.filter(name="anthropic-ratelimit-unified-5h-utilization").exists()
    marks = {mark for loaded in load_sessions(rows, 100) for turn in loaded.turns for mark in turn.marks}
    assert Mark.COMPACTION in marks
    progress = Progress()
    assert [problem for problem in verify(progress) if problem] == []
    assert progress.exchanges == 500


def test_a_newcomer_needs_no_other_command_before_it(tmp_path: Path) -> None:
    done = manage(tmp_path / "data", "demo", "--turns", "5", "--yes")
    assert done.returncode == 0, done.stderr
    assert "making the tables" in done.stderr
    assert '"turns": 5' in manage(tmp_path / "data", "history", "stats", "--json").stdout


def test_several_processes_make_what_one_would(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert manage(data, "migrate").returncode == 0
    done = manage(data, "demo", "--turns", "301", "--jobs", "2", "--yes")
    assert done.returncode == 0, done.stderr
    stored = json.loads(manage(data, "history", "stats", "--json").stdout)
    assert stored["turns"] == 301
    assert stored["ratio"] > 2, "nothing is shared"
    verified = manage(data, "history", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_fails_in_one_of_several_processes_ends_the_command(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert manage(data, "migrate").returncode == 0
    done = manage(data, "demo", "--turns", "40", "--jobs", "2", "--days", "20000000", "--yes")
    assert done.returncode != 0
    assert "OverflowError" in done.stderr


def test_it_asks_where_there_are_turns_already(monkeypatch: pytest.MonkeyPatch) -> None:
    demo("--turns", "3")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with pytest.raises(CommandError, match="nothing was added"):
        demo("--turns", "3")
    assert RequestLog.objects.count() == 3
