"""Counters of several processes as one, through Redis: what was used is told, and a share of what is left is granted.

One task of the event loop does it, a few times a second and whenever a counter has come to the end of its share. No
request waits for it: while Redis is away or stalled, rules that allow it go by what is known here, the others by what
was granted last, until that has run out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import redis.asyncio as redis
import structlog
from redis.exceptions import NoScriptError, RedisError

from gateway.metering.counters import Counter, Counters
from gateway.policy.limits import Measure
from gateway.policy.pools import Pool, Share

KEYS = "turnlog:limits:"
REDIS_SECONDS = 1.0
EVERY_SECONDS = 0.25
PAUSE_SECONDS = 0.002
"""Between two askings, however often it is stirred."""
RENEW_SECONDS = 2.0
"""How old a share may grow that is used, but not enough to need another."""
IDLE_SECONDS = 60.0
"""After this long without a request a counter is left to itself."""
LEASE_SECONDS = 20.0
"""How long a process goes by its share. In Redis it is kept for longer, so that it is never given twice."""
KEPT_SECONDS = 30.0
AFTER_WINDOW_SECONDS = 3600.0
RATE_SECONDS = 600

GRANT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local capacity, leak, unit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local process, total, kept = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local known, floor, epoch = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local lease, expire = tonumber(ARGV[10]), tonumber(ARGV[11])
local used, at, told, life, others, processes = nil, now, 0, '', 0, 1
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == 'used' then used = tonumber(value)
    elseif name == 'at' then at = tonumber(value)
    elseif name == 'life' then life = value
    elseif name == 't:' .. process then told = tonumber(value)
    elseif string.sub(name, 1, 2) == 'g:' and name ~= 'g:' .. process then
        local granted, till = string.match(value, '^(%S+) (%S+)$')
        if tonumber(till) < now then redis.call('HDEL', KEYS[1], name)
        else others = others + tonumber(granted); processes = processes + 1 end
    end
end
if used == nil then
    life = process .. ' ' .. time[1] .. '.' .. time[2]
    used = math.max(known, floor)
else
    if leak > 0 and now > at then used = math.max(0, used - leak * (now - at)) end
    if epoch ~= '' and epoch ~= life then used = math.max(used, known)
    else used = math.max(used, floor) + math.max(0, total - told) end
end
local free = capacity - used - others
local spare = math.max(0, free - kept) / (2 * processes)
if unit > 0 then spare = math.floor(spare / unit) * unit end
local granted = math.min(kept, math.max(0, free)) + spare
local number = '%.17g'
redis.call('HSET', KEYS[1], 'used', string.format(number, used), 'at', string.format('%.6f', now), 'life', life,
           't:' .. process, string.format(number, total),
           'g:' .. process, string.format(number, granted) .. ' ' .. string.format('%.6f', now + lease))
redis.call('EXPIRE', KEYS[1], expire)
return {string.format(number, used), string.format(number, granted), string.format(number, free - granted), life,
        tostring(processes)}
"""

log = structlog.get_logger(__name__)


class Sharing:
    """`process` is this process's name among the others'."""

    def __init__(self, counters: Counters, url: str, process: str) -> None:
        self._counters = counters
        self._url = url
        self._process = process
        self._stirred = asyncio.Event()
        self._renewed: dict[int, float] = {}
        self._sha: str | None = None
        self.problem: str | None = None
        counters.stir = self._stirred.set
        self._stirred.set()

    async def run(self) -> None:
        """Until cancelled."""
        client = self._connect()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), EVERY_SECONDS)
                self._stirred.clear()
                self._counters.asked_at = self._counters.now()
                try:
                    await self.exchange(client)
                    self._note(None)
                except (RedisError, OSError, TimeoutError) as error:
                    self._note(repr(error))
                self._counters.asked_at = None
                await asyncio.sleep(EVERY_SECONDS if self.problem is not None else PAUSE_SECONDS)
        finally:
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()

    def _connect(self) -> Any:
        return redis.Redis.from_url(self._url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)

    def _note(self, problem: str | None) -> None:
        self._counters.reachable = problem is None
        if (problem is None) != (self.problem is None):
            if problem is not None:
                log.warning("limits are not shared with the other processes: Redis does not answer", error=problem)
            else:
                log.info("limits are shared with the other processes again")
        self.problem = problem

    async def exchange(self, client: Any) -> None:
        """Tell and ask for every counter that has news, or whose share has grown old."""
        counters, now = self._counters, self._counters.now()
        due = [entry for entry in self._pools() if self._is_due(entry[0], entry[2], now)]
        if not due:
            if not counters.all:
                await client.ping()
            return
        self._sha = self._sha or await client.script_load(GRANT)
        pipeline = client.pipeline(transaction=False)
        totals: list[float] = []
        for counter, measure, pool in due:
            pool.tick(now)
            assert pool.share is not None
            totals.append(pool.share.total)
            pipeline.evalsha(self._sha, 1, *self._question(counter, measure, pool, now))
        try:
            answers = await pipeline.execute()
        except NoScriptError:
            self._sha = None
            raise
        for (counter, _, pool), total, answer in zip(due, totals, answers, strict=True):
            used, granted, rest, life, processes = (text.decode() for text in answer)
            share = Share(float(granted), float(rest), counters.now() + LEASE_SECONDS, epoch=life)
            before = pool.used
            pool.told(total, float(used), share)
            pool.at = counters.now()
            self._renewed[id(pool)] = now
            counters.processes = int(processes)
            # A count that this process has begun itself is only as good as what it knew.
            counter.known = counter.known or not life.startswith(self._process)
            if pool.used != before:
                counters.note(counter)
        self._renewed = {id(pool): self._renewed.get(id(pool), 0.0) for _, _, pool in self._pools()}

    def _question(self, counter: Counter, measure: Measure, pool: Pool, now: float) -> list[Any]:
        assert pool.share is not None
        is_window = counter.window.end != float("inf")
        expire = counter.window.end - now + AFTER_WINDOW_SECONDS if is_window else RATE_SECONDS
        floor = self._counters.seeds.get(counter.name, {}).get(measure, 0.0)
        rule, subject, start = counter.name
        key = f"{KEYS}{rule}:{measure.name}:{start:.0f}:{subject}"
        return [
            key, pool.capacity, pool.leak, pool.unit, self._process, repr(pool.share.total), repr(pool.commit()),
            repr(pool.used), repr(floor), pool.share.epoch, KEPT_SECONDS, max(60, int(expire)),
        ]  # fmt: skip

    def _pools(self) -> Iterable[tuple[Counter, Measure, Pool]]:
        for counter in (*self._counters.all.values(), *self._counters.past):
            for measure, pool in counter.pools.items():
                if pool.share is None:
                    pool.share = Share(rest=max(0.0, pool.capacity - pool.used))
                yield counter, measure, pool

    def _is_due(self, counter: Counter, pool: Pool, now: float) -> bool:
        is_used = bool(pool.held) or now - counter.seen < IDLE_SECONDS
        share = pool.share
        assert share is not None
        room = share.granted - share.untold - pool.held
        low = room < max(pool.unit, share.granted / 2)
        if share.untold or (low and is_used):
            return True
        return is_used and now - self._renewed.get(id(pool), 0.0) > RENEW_SECONDS
