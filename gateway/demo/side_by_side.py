"""Fills a demonstration by several processes: each makes its share of the turns, over the same days.

Nothing of Django is imported before a process has set it up: this module is the first that a new one imports.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing.sharedctypes import Synchronized
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.demo.filling import Plan

LOOK_SECONDS = 0.5
_stored: Synchronized[int]
"""Of all processes together, in each of them."""


def fill_side_by_side(plan: Plan, jobs: int) -> Iterator[int]:
    """How many turns are stored, now and then and at the end. What fails in a process is raised here."""
    context = multiprocessing.get_context("spawn")
    stored = context.Value("q", 0)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=set_up, initargs=(stored,)) as pool:
        running = [pool.submit(fill_share, share) for share in shares(plan, jobs)]
        while wait(running, timeout=LOOK_SECONDS).not_done:
            yield stored.value
        for share in running:
            share.result()
    yield stored.value


def shares(plan: Plan, jobs: int) -> list[Plan]:
    """Each with texts of its own; the first one's are those of a single process."""
    whole, left = divmod(plan.turns, jobs)
    parts = [whole + (number < left) for number in range(jobs)]
    return [plan._replace(turns=part, seed=plan.seed + 1_000_003 * number) for number, part in enumerate(parts) if part]


def set_up(stored: Synchronized[int]) -> None:
    global _stored
    import django

    django.setup()
    _stored = stored


def fill_share(share: Plan) -> None:
    from gateway.demo.filling import fill

    before = 0
    for so_far in fill(share):
        with _stored.get_lock():
            _stored.value += so_far - before
        before = so_far
