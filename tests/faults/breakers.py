"""S-24: when a circuit breaker opens and when not, who finds out whether it may close, and what people see of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from typing import Any

from tests.e2e.processes import ROOT
from tests.faults.client import STREAM_BODY, LoadClient, Reading, Received
from tests.faults.endings import noted
from tests.faults.registry import Failed, require, row
from tests.faults.scene import Gateway, Scene, until
from tests.faults.secrets import Browser

FAILURES = 3
OPEN_SECONDS = 2
OPENS = b"backend_unavailable_circuit_open"
DOCUMENT = """
providers:
- {{name: guarded, dialect: anthropic, address: "{url}", keyless: true, extra_headers: {{x-guarded: "1"}},
   breaker_mode: enforce,
   breaker_failures: {failures}, breaker_open_seconds: {seconds}, breaker_successes: 1}}
routes:
- {{match: "guarded-*", provider: guarded}}
"""


@row(
    "S-24",
    "A breaker opens after its number of failures for one provider and model, by 5xx alone: not by 4xx, 429 or callers"
    " that leave. Then one request in `breaker_open_seconds` finds out whether it may close. A single provider's is"
    " only observed. A person holds it open or closed in the admin, with a reason, until they let it go. Every"
    " transition is a row, and in the audit log stands who held what, and why.",
    quick=True,
)
async def breaker(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        await configure(scene, gateway, client)
        await opens_by_nothing_else(client)
        await observed_alone(client)
        for _ in range(FAILURES):
            require((await say(client, "guarded-a", "error_500")).status == 500, "a 500 did not come through")
        refused = await say(client, "guarded-a")
        require(refused.status == 529 and OPENS in refused.body, f"open, it answered {refused.status} {refused.body!r}")
        require(refused.header(b"retry-after") is not None, "the refusal says not when to try again")
        require((await say(client, "guarded-b")).status == 200, "another model's breaker opened too")
        probes = await probed(client)
        moves = await until(lambda: transitions(gateway, 5), "the transitions are rows")
        wanted = ["open", "half_open", "open", "half_open", "closed"]
        require(moves == wanted, f"the rows say {moves}")
        told = await held_by_hand(gateway, client)
        await gateway.settle()
        return f"opened after {FAILURES}; {probes}; rows: {', '.join(moves)}; {told}"


async def configure(scene: Scene, gateway: Gateway, client: LoadClient) -> None:
    document = DOCUMENT.format(url=scene.provider.url, failures=FAILURES, seconds=OPEN_SECONDS)
    command = [sys.executable, "manage.py", "config", "apply", "-"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=gateway.environment, input=document, text=True, capture_output=True
    )
    require(done.returncode == 0, done.stderr)
    for _ in range(100):
        answer = await client.ask(body=named("guarded-start"))
        if "x-guarded" in dict((await noted(scene, answer.id))["request_headers"]):
            return
        await asyncio.sleep(0.1)
    raise Failed("the configuration did not come into force")


async def opens_by_nothing_else(client: LoadClient) -> None:
    for scenario in ("error_400", "error_429", "error_404"):
        for _ in range(FAILURES + 1):
            status = (await say(client, "guarded-a", scenario)).status
            require(status == int(scenario[-3:]), f"{scenario} answered {status}")
    for _ in range(FAILURES + 1):
        await say(client, "guarded-a", "slow;ms=50;events=50", Reading(stop=lambda noted: True))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(say(client, "guarded-a", "no_headers"), 0.2)
    require((await say(client, "guarded-a")).status == 200, "it opened by what is no failure of the provider")


async def observed_alone(client: LoadClient) -> None:
    statuses = [(await client.ask("error_500")).status for _ in range(8)]
    statuses.append((await client.ask()).status)
    require(statuses == [500] * 8 + [200], f"a single provider's breaker was obeyed: {statuses}")


async def probed(client: LoadClient) -> str:
    """A bad probe, then a good one; each time one request of ten that come at once."""
    await asyncio.sleep(OPEN_SECONDS + 0.3)
    bad = await at_once(client, "error_500")
    await asyncio.sleep(OPEN_SECONDS + 0.3)
    good = await at_once(client, "text")
    require(bad.count(529) == 9 and bad.count(500) == 1, f"half open, ten with a bad probe got {bad}")
    require(good.count(200) >= 1 and set(good) <= {200, 529}, f"half open, ten with a good probe got {good}")
    require((await say(client, "guarded-a")).status == 200, "a good probe did not close it")
    return "one probe of ten at once"


async def at_once(client: LoadClient, scenario: str) -> list[int]:
    answers = await client.many(10, lambda _: say(client, "guarded-a", scenario))
    return [answer.status for answer in answers]


async def held_by_hand(gateway: Gateway, client: LoadClient) -> str:
    """Open, changed to closed, let go: each within a second or so, and a row with the reason and who did it."""
    admin = await asyncio.to_thread(Browser, gateway)
    with gateway.connect() as connection:
        [(provider,)] = connection.execute("SELECT id FROM gateway_provider WHERE name = 'guarded'").fetchall()
    form = {"provider": str(provider), "model": "guarded-c", "state": "open", "reason": "the provider asked us"}
    adding = "/admin/gateway/breakerhold/add/"
    await asyncio.to_thread(admin.post, adding, form)
    await reaches(client, 529)
    [hold] = set(re.findall(r"/admin/gateway/breakerhold/(\d+)/change/", await listed(admin)))
    change = f"/admin/gateway/breakerhold/{hold}/change/"
    await asyncio.to_thread(admin.post, change, form | {"state": "closed", "reason": "they say it is over"})
    await reaches(client, 200)
    for _ in range(FAILURES + 1):
        require((await say(client, "guarded-c", "error_500")).status == 500, "held closed, it opened")
    await asyncio.to_thread(admin.post, change.replace("change", "delete"), {"post": "yes"})
    for _ in range(100):
        if OPENS in (await say(client, "guarded-c", "error_500")).body:
            break
        await asyncio.sleep(0.1)
    else:
        raise Failed("let go, it does not open by itself")
    with gateway.connect() as connection:
        moves = connection.execute(
            "SELECT after, reason FROM gateway_breakertransition WHERE model = 'guarded-c' ORDER BY id"
        ).fetchall()
        audit = connection.execute(
            "SELECT actor_name, target, details FROM dashboard_auditevent WHERE target LIKE '%guarded-c%' ORDER BY id"
        ).fetchall()
    require(("open", form["reason"]) in moves, f"no transition with the reason among {moves}")
    opened, closed = f"held open: {form['reason']}", "held closed: they say it is over"
    wanted = [f"breaker hold guarded guarded-c {what}" for what in (opened, closed, closed)]
    require([target for _, target, _ in audit] == wanted, f"the audit log says {audit}")
    require(all(actor for actor, _, _ in audit), f"the audit log does not say who: {audit}")
    return "held open, closed, let go: three rows in the audit log"


async def listed(admin: Browser) -> str:
    return (await asyncio.to_thread(admin.get, "/admin/gateway/breakerhold/")).decode()


async def reaches(client: LoadClient, status: int) -> None:
    for _ in range(100):
        if (await say(client, "guarded-c")).status == status:
            return
        await asyncio.sleep(0.1)
    raise Failed(f"what was held in the admin did not lead to {status}")


def transitions(gateway: Gateway, least: int) -> list[str] | None:
    """The states of guarded-a, when there are so many."""
    with gateway.connect() as connection:
        found: list[Any] = connection.execute(
            "SELECT after FROM gateway_breakertransition WHERE provider = 'guarded' AND model = 'guarded-a' ORDER BY at"
        ).fetchall()
    return [state for (state,) in found] if len(found) >= least else None


def named(model: str) -> bytes:
    return STREAM_BODY.replace(b"claude-opus-5-5", model.encode())


async def say(client: LoadClient, model: str, scenario: str = "text", reading: Reading | None = None) -> Received:
    return await client.ask(scenario, body=named(model), reading=reading or Reading(keep=True))
