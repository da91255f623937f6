"""When an alert opens, is told and ends."""

from __future__ import annotations

import pytest

from gateway.policy.alerting import METRICS, Decision, Metric, Operator, Reading, Standing, Step, decide

NOW = 1_000_000.0
QUIET = Standing()


@pytest.mark.parametrize(
    ("holds", "standing", "window", "cooldown", "muted", "expected"),
    [
        pytest.param(False, QUIET, 0, 0, False, Decision(Step.NOTHING), id="nothing holds"),
        pytest.param(True, QUIET, 0, 60, False, Decision(Step.OPEN, True), id="opens at once without a window"),
        pytest.param(True, QUIET, 30, 60, False, Decision(Step.WAIT), id="begins to hold"),
        pytest.param(True, Standing(NOW - 29), 30, 60, False, Decision(Step.WAIT), id="not yet long enough"),
        pytest.param(True, Standing(NOW - 30), 30, 60, False, Decision(Step.OPEN, True), id="long enough"),
        pytest.param(False, Standing(NOW - 29), 30, 60, False, Decision(Step.FORGET), id="held too briefly"),
        pytest.param(True, QUIET, 0, 60, True, Decision(Step.OPEN, False), id="muted: opens, nobody is told"),
        pytest.param(
            True, Standing(told_at=NOW - 59), 0, 60, False, Decision(Step.OPEN, False), id="in the cooldown of the last"
        ),
        pytest.param(
            True, Standing(told_at=NOW - 60), 0, 60, False, Decision(Step.OPEN, True), id="the cooldown is over"
        ),
        pytest.param(
            True, Standing(NOW - 9, open=True, is_told=True, told_at=NOW - 9), 0, 5, False, Decision(Step.NOTHING),
            id="is open and was told: not again",
        ),
        pytest.param(
            True, Standing(NOW - 90, open=True), 0, 60, False, Decision(Step.NOTHING, True),
            id="was muted when it opened, and is open still: told now",
        ),
        pytest.param(
            True, Standing(NOW - 90, open=True), 0, 60, True, Decision(Step.NOTHING), id="is open and muted still"
        ),
        pytest.param(
            False, Standing(NOW - 90, open=True, is_told=True, told_at=NOW - 90), 0, 900, False,
            Decision(Step.RESOLVE, True), id="its end is told, cooldown or not",
        ),
        pytest.param(
            False, Standing(NOW - 90, open=True), 0, 60, False, Decision(Step.RESOLVE), id="nobody was told of it"
        ),
        pytest.param(
            False, Standing(NOW - 90, open=True, is_told=True, told_at=NOW - 90), 0, 60, True, Decision(Step.RESOLVE),
            id="muted: its end is not told",
        ),
    ],
)  # fmt: skip
def test_what_follows(
    holds: bool, standing: Standing, window: float, cooldown: float, muted: bool, expected: Decision
) -> None:
    assert decide(holds, standing, NOW, window=window, cooldown=cooldown, muted=muted) == expected


@pytest.mark.parametrize(
    ("operator", "below", "same", "above"),
    [(">", False, False, True), (">=", False, True, True), ("<", True, False, False), ("<=", True, True, False)],
)
def test_operators(operator: str, below: bool, same: bool, above: bool) -> None:
    assert [Operator(operator).holds(value, 5.0) for value in (4.9, 5.0, 5.1)] == [below, same, above]


def test_a_rule_is_narrowed_by_names_and_patterns() -> None:
    reading = Reading("x", 1.0, provider="azure-eu", model="gpt-5.1", team="search")
    assert reading.is_within([], [], [])
    assert reading.is_within(["azure-*"], ["gpt-5.1"], ["ads", "search"])
    assert not reading.is_within(["anthropic"], [], [])
    assert not reading.is_within([], [], ["sea"])


def test_every_metric_is_explained() -> None:
    assert set(METRICS) == set(Metric)
    assert all(fact.title and fact.unit and fact.explained for fact in METRICS.values())
