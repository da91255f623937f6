"""What the spool says: of this machine by its counts, of others by their loaders."""

from __future__ import annotations

import datetime
import socket
from pathlib import Path

import pytest
from django.utils import timezone

from gateway.alerting.spool import Spool, others
from gateway.models import AlertRule, ProcessGauges
from gateway.recording.status import Status

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def status(accepted: int, stored: int, dropped: int = 0, in_flight: int = 0) -> Status:
    spooled = accepted - stored - dropped
    return Status(
        accepted=accepted, stored=stored, spooled=spooled, dropped={"disk_full": dropped}, in_flight=in_flight,
        draining=False, quarantined=0, dead_letters=0, database="up", balanced=True,
    )  # fmt: skip


class TestSpool:
    @pytest.mark.parametrize(
        ("looks", "age"),
        [
            pytest.param([(0, status(10, 10)), (100, status(10, 10))], 0, id="all is loaded"),
            pytest.param([(0, status(10, 10)), (90, status(12, 10, in_flight=2))], 0, id="under way does not wait"),
            pytest.param(
                [(0, status(10, 10)), (50, status(10, 10)), (60, status(12, 10)), (90, status(15, 10))], 40,
                id="the loader stands still",
            ),
            pytest.param(
                [(0, status(10, 10)), (10, status(12, 10)), (40, status(15, 10)), (50, status(16, 12))], 40,
                id="it has loaded the first two of them",
            ),
            pytest.param([(0, status(10, 10)), (10, status(15, 10)), (20, status(15, 15))], 0, id="it has caught up"),
            pytest.param([(0, status(10, 10, 0)), (10, status(15, 10, 5))], 0, id="what was dropped does not wait"),
        ],
    )  # fmt: skip
    def test_how_long_the_oldest_waits(
        self, looks: list[tuple[float, Status]], age: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        value = None
        for seconds, seen in looks:
            monkeypatch.setattr("gateway.alerting.spool.read_status", lambda _, seen=seen: seen)
            now = NOW + datetime.timedelta(seconds=seconds)
            (found,) = Spool(now, tmp_path).age(AlertRule(metric="spool_age"))
            value = found.value
        assert value == pytest.approx(age, abs=0.01)

    def test_what_was_not_recorded_in_the_window(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        values = []
        for seconds, dropped in ((0, 7), (30, 9), (60, 9), (130, 9)):
            monkeypatch.setattr("gateway.alerting.spool.read_status", lambda _, n=dropped: status(20, 5, n))
            now = NOW + datetime.timedelta(seconds=seconds)
            (found,) = Spool(now, tmp_path).dropped(AlertRule(metric="dropped", window=60))
            values.append(found.value)
        assert values == [0, 2, 2, 0]

    @pytest.mark.parametrize(
        ("host", "age", "is_here", "expected"),
        [
            pytest.param("other", 0, True, ["other"], id="another machine"),
            pytest.param("other", 16, True, [], id="its loader is gone"),
            pytest.param(socket.gethostname()[:64], 0, True, [], id="this one, whose spool is read"),
            pytest.param(socket.gethostname()[:64], 0, False, [socket.gethostname()[:64]], id="no spool is found here"),
        ],
    )
    def test_spools_of_other_machines(self, host: str, age: float, is_here: bool, expected: list[str]) -> None:
        told_at = timezone.now() - datetime.timedelta(seconds=age)
        gauges = [["spool_oldest_seconds", 75.0, {"host": host}]]
        ProcessGauges.objects.create(
            process="loader x 1", role="loader", host=host, began_at=told_at, told_at=told_at, gauges=gauges
        )
        assert [(found.subject, found.value) for found in others(is_here=is_here)] == [
            (each, 75.0) for each in expected
        ]

    def test_where_there_is_no_spool_nothing_is_known(self, tmp_path: Path) -> None:
        spool = Spool(NOW, tmp_path / "none")
        assert list(spool.age(AlertRule())) == list(spool.depth(AlertRule())) == list(spool.dropped(AlertRule())) == []
