"""The numbers that must hold, and whether they did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.results import Results
from bench.targets import BARE, NGINX, OFF, ON

Measure = Callable[[Results], float | None]


@dataclass(frozen=True)
class Demand:
    """`bound` is a least value when `at_least`, else a most; `goal` is what to go for; `binding`: one that is
    missed makes the run fail."""

    title: str
    measure: Measure
    bound: float
    at_least: bool
    form: str = "{:.2f}"
    goal: float | None = None
    binding: bool = True
    optional: bool = False
    """Measured only when it is asked for."""

    def judge(self, results: Results) -> Verdict | None:
        """None: nothing of it was measured."""
        value = self.measure(results)
        if value is None:
            return None
        return Verdict(self, value, self.met(value, self.bound), self.goal is None or self.met(value, self.goal))

    def met(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound


@dataclass(frozen=True)
class Verdict:
    demand: Demand
    value: float
    held: bool
    reached_goal: bool

    def line(self) -> str:
        demand = self.demand
        sign = "at least" if demand.at_least else "at most"
        goal = "" if demand.goal is None else f", goal {demand.form.format(demand.goal)}"
        goal += ", reached" if demand.goal is not None and self.reached_goal else ""
        word = "HELD" if self.held else "NOT HELD" if demand.binding else "MISSED (a goal)"
        value, bound = demand.form.format(self.value), demand.form.format(demand.bound)
        return f"{word}: {demand.title}: {value} ({sign} {bound}{goal})"


def at_least(
    title: str,
    measure: Measure,
    bound: float,
    goal: float | None = None,
    form: str = "{:.2f}",
    *,
    optional: bool = False,
) -> Demand:
    return Demand(title, measure, bound, at_least=True, form=form, goal=goal, optional=optional)


def at_most(
    title: str,
    measure: Measure,
    bound: float,
    goal: float | None = None,
    form: str = "{:.2f}",
    *,
    optional: bool = False,
) -> Demand:
    return Demand(title, measure, bound, at_least=False, form=form, goal=goal, optional=optional)


def recording_cost(results: Results) -> float | None:
    ratio = results.ratio("json-16", ON, OFF)
    return None if ratio is None else (1 - ratio) * 100


def streams_rss(results: Results) -> float | None:
    return results.median("streams-1000", ON, "rss")


def soak_growth(results: Results) -> float | None:
    """MiB between the first third of the soak and its last."""
    found = results.of("soak", ON)
    if not found or len(found[0].rss_track) < 9:
        return None
    track = found[0].rss_track
    third = len(track) // 3
    # The end is left out: there the streams end, all at once.
    return max(track[-third:-2]) - max(track[third // 2 : third])


def rows_lost(results: Results) -> float | None:
    """Requests sent and not in the history once the spool was empty."""
    if results.status is None:
        return None
    stored = results.status["stored"] or 0
    return float(results.sent - stored)


def longest_drain(results: Results) -> float | None:
    if any(drain.left > 0 for drain in results.drains):
        return float("inf")
    return max((drain.seconds for drain in results.drains), default=None)


def loader_rate(workload: str) -> Measure:
    """Turns stored each second while a backlog was worked off."""

    def measure(results: Results) -> float | None:
        drain = results.loader.get(workload)
        return None if drain is None else drain.rows / drain.seconds

    return measure


def peer_ratio(name: str) -> Measure:
    def measure(results: Results) -> float | None:
        peers = [target for target in results.targets if name in target.lower()]
        ratios = [results.ratio("json-16", ON, peer) for peer in peers]
        known = [ratio for ratio in ratios if ratio is not None]
        return min(known) if known else None

    return measure


def ratio(workload: str, base: str, figure: str = "rate") -> Measure:
    return lambda results: results.ratio(workload, ON, base, figure)


def added(workload: str, figure: str) -> Measure:
    return lambda results: results.added(workload, ON, figure)


def cpu(workload: str, unit: float = 1.0) -> Measure:
    def measure(results: Results) -> float | None:
        value = results.median(workload, ON, "cpu")
        return None if value is None else value * unit

    return measure


DEMANDS = (
    at_least("small JSON, 16 connections, of the bare relay's requests/s", ratio("json-16", BARE), 0.45, 0.55),
    at_most("small JSON, 16 connections, µs of CPU a request", cpu("json-16"), 480, 350, "{:.0f}"),
    Demand(
        "small JSON, 16 connections, of nginx's requests/s", ratio("json-16", NGINX), 0.06, at_least=True,
        form="{:.3f}", goal=0.09, binding=False,
    ),
    at_most("small JSON, 1 connection, ms added at the median", added("json-1", "first_p50"), 0.6),
    at_least("300 kB bodies, 4 connections, of nginx's requests/s", ratio("300k-4", NGINX), 0.10),
    at_most("1.4 MB bodies, 1 connection, ms of CPU a request", cpu("1400k-1", 1e-3), 4.0),
    at_least("unpaced streams, 16 connections, of nginx's events/s", ratio("burst-16", NGINX), 0.85),
    at_least("unpaced streams translated, 16 connections, of nginx's events/s", ratio("translated-16", NGINX), 0.6),
    at_most("unpaced streams translated, 16 connections, µs of CPU an event", cpu("translated-16"), 9.0),
    at_least("paced streams, 64 connections, of nginx's events/s", ratio("paced-64", NGINX), 0.95),
    at_most("paced streams, 64 connections, ms added to an event, median", added("paced-64", "delay_p50"), 0.1),
    at_most("paced streams, 64 connections, ms added to an event, p99", added("paced-64", "delay_p99"), 15.0),
    at_most("paced streams, 64 connections, times nginx's CPU an event", ratio("paced-64", NGINX, "cpu"), 2.5),
    at_least("paced streams, 256 connections, of the ideal rate", lambda r: r.of_ideal("paced-256", ON), 0.75, 0.9),
    at_most("MiB of memory after the run", lambda r: r.final_rss, 120, form="{:.0f}"),
    at_most("MiB of memory with 1 000 streams at 5 events/s", streams_rss, 250, form="{:.0f}"),
    at_most("MiB that memory grows in the soak's last two thirds", soak_growth, 10, form="{:.1f}", optional=True),
    at_most("% of requests/s that recording costs, small JSON, 16 connections", recording_cost, 30, 20, "{:.0f}"),
    at_most("rows lost", rows_lost, 0, form="{:.0f}"),
    at_most("wrong answers of Turnlog", lambda r: float(r.errors(ON) + r.errors(OFF)), 0, form="{:.0f}"),
    at_most("s until the spool is drained, the longest", longest_drain, 60, form="{:.1f}"),
    Demand(
        "small turns a second the loader stores", loader_rate("json-16"), 1500, at_least=True,
        form="{:.0f}", binding=False,
    ),
    at_least(
        "times LiteLLM's requests/s, small JSON, 16", peer_ratio("litellm"), 40, form="{:.0f}", optional=True
    ),
    at_least(
        "times Claude Code Router's requests/s, small JSON, 16", peer_ratio("ccr"), 3, form="{:.1f}", optional=True
    ),
)  # fmt: skip


def judge(results: Results) -> list[Verdict]:
    """Of every demand that something was measured for."""
    verdicts = (demand.judge(results) for demand in DEMANDS)
    return [verdict for verdict in verdicts if verdict is not None]


def unmeasured(results: Results) -> list[str]:
    """What a whole run should have measured and did not, say because there is no nginx."""
    return [demand.title for demand in DEMANDS if not demand.optional and demand.measure(results) is None]


def all_held(verdicts: list[Verdict]) -> bool:
    return all(verdict.held or not verdict.demand.binding for verdict in verdicts)
