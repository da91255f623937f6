"""S-01, S-02, S-11, S-13, S-21, S-22: whatever bytes come, they go through as they came, and the history copes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
from typing import Any

from tests.faults.checker import all_whole, nothing_lost, unique
from tests.faults.client import LoadClient, Received
from tests.faults.endings import expect, noted
from tests.faults.registry import require, row
from tests.faults.scene import Scene

ENDS = (b"\n", b"\r\n", b"\r")
MOST_BYTES = 20_000
"""The answer travels to the provider in a header, whose bound is 64 kB."""


def generated(chance: random.Random) -> bytes:
    """An answer as a provider sends it, head and all: a stream of odd lines, now and then packed."""
    end = chance.choice(ENDS)
    lines = []
    for _ in range(chance.randrange(1, 40)):
        kind = chance.randrange(9)
        text = chance.randbytes(chance.randrange(0, 60)).replace(b"\n", b"").replace(b"\r", b"")
        line = {
            0: b": " + text,
            1: b"id: " + text,
            2: b"retry: %d" % chance.randrange(9999),
            3: b"event: ping" + end + b"data: {}" + end,
            4: b"event: never_seen" + end + b"data: " + text + end,
            5: b"",
            6: b"data: " + "Grüße ✓ 日本語 🚀".encode()[: chance.randrange(30)],
            7: text,
            8: b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}' + end,
        }[kind]
        lines.append(line + end)
    body = b"".join(lines)[:MOST_BYTES]
    coding = b""
    if chance.random() < 0.2:
        body, coding = gzip.compress(body, mtime=0), b"Content-Encoding: gzip\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + coding + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + chunked(body, chance)


def chunked(body: bytes, chance: random.Random) -> bytes:
    parts = []
    while body:
        size = chance.choice((1, 2, 3, 7, 64, 1000, len(body)))
        piece, body = body[:size], body[size:]
        parts.append(b"%x\r\n%b\r\n" % (len(piece), piece))
    return b"".join(parts) + b"0\r\n\r\n"


def plain(wire: bytes) -> bytes:
    """The body of an answer made by `generated`."""
    rest = wire.partition(b"\r\n\r\n")[2]
    parts = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return b"".join(parts)
        parts.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]


def raw(wire: bytes, cuts: list[int], ms: int = 0) -> str:
    where = ",".join(str(cut) for cut in cuts)
    return f"raw;data={base64.b64encode(wire).decode()};cuts={where};ms={ms};end=stay"


@row(
    "S-01",
    "Thousands of generated streams (comments, ids, retries, runs of blank lines, CR, LF, CRLF, pings, unknown events,"
    " gzip, any chunking, any cut between writes): the client gets the provider's bytes, the history holds them.",
    quick=True,
)
async def transparency(scene: Scene) -> str:
    chance = random.Random(20_251_121)
    count = scene.pick(200, 10_000)
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        wanted: dict[str, bytes] = {}

        async def one(number: int) -> Received:
            wire = generated(chance)
            cuts = sorted(chance.sample(range(1, len(wire)), min(5, len(wire) - 1)))
            answer = await client.ask(raw(wire, cuts))
            wanted[answer.id] = plain(wire)
            return answer

        answers = await client.many(count, one, at_once=16)
        whole = all_whole(answers, "streams")
        rows = await settled_rows(gateway)
        for answer in answers:
            body = wanted[answer.id]
            require(answer.sha256 == sha(body), f"{answer.id}: other bytes came than were sent")
            require(rows[answer.id]["response_sha256"] == sha(body), f"{answer.id}: the history holds other bytes")
        return whole


async def settled_rows(gateway: Any) -> dict[str, dict[str, Any]]:
    await gateway.settle()
    return unique(await gateway.rows())


def sha(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


SPLITS = (1, 2, 3, 5, 7, 11, 16, 64, 333, 1000, 65_536)


@row(
    "S-02",
    "However a stream is split into pieces, within a character or a packed block too, the recorded message, usage and"
    " stop reason are the same.",
    quick=True,
)
async def splits(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        kinds = ("text", "tools", "thinking", "parallel_tools")
        asked = {kind: [await client.ask(f"split_every;n={n};content={kind}") for n in SPLITS] for kind in kinds}
        packed = [await client.ask(coding) for coding in ("text", "gzip", "br", "zstd", "deflate")]
        all_whole([*packed, *(answer for answers in asked.values() for answer in answers)])
        rows = await settled_rows(gateway)
        for kind, answers in {**asked, "packed": packed}.items():
            told = [await understood(gateway, rows[answer.id]) for answer in answers]
            require(told[0][0], f"{kind}: no message was recorded")
            require(all(one == told[0] for one in told), f"{kind}: the recorded messages differ by the splits")
        return f"{len(kinds)} kinds of answers in {len(SPLITS)} splits, 4 codings, understood alike"


async def understood(gateway: Any, row: dict[str, Any]) -> tuple[Any, ...]:
    shown = await asyncio.to_thread(gateway.console.ask, "show", id=row["id"])
    return (without_ids(shown["message"]), shown["stop_reason"], shown["usage"])


def without_ids(value: Any) -> Any:
    """The fake provider counts its ids on."""
    if isinstance(value, dict):
        return {key: without_ids(inner) for key, inner in value.items() if key != "id"}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


ODD = ("big_line;mb=10", "invalid_utf8", "nul", "bom", "malformed_data", "no_final_blank", "cr", "crlf", "comments")


@row(
    "S-11",
    "Malformed streams, a line of 10 MB, invalid UTF-8, NUL, a byte order mark: relayed as they are and recorded; the"
    " process's memory grows by less than three times the line, and it answers others meanwhile.",
    quick=True,
)
async def malformed_streams(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        await client.ask()
        web = gateway.webs()[0]
        before = web.memory_info().rss
        over = asyncio.Event()
        watched = asyncio.create_task(client.keep_asking(over, ["text"], 1, 0.01))
        answers = [await client.ask(scenario) for scenario in ODD]
        grown = web.memory_info().rss - before
        over.set()
        pings = await watched
        all_whole([*answers, *pings])
        text = await nothing_lost(scene, gateway)
        require(grown < 30_000_000, f"web grew by {grown / 1e6:.0f} MB")
        slowest = max(answer.first_byte or 9 for answer in pings)
        require(slowest < 0.5, f"another request waited {slowest * 1000:.0f} ms")
        return f"{text}; web grew by {grown / 1e6:.0f} MB, slowest other answer after {slowest * 1000:.0f} ms"


FRAMED_WELL = ("one_hundred_continue", "early_hints;count=3", "http10_no_length", "trailers", "cl_and_te", "close_each")
FRAMED_BADLY = ("chunked_garbage", "two_content_lengths", "huge_header", "extra_bytes", "close_unannounced")


@row(
    "S-13",
    "Framing that is odd is relayed right, framing that is wrong ends as 502 or a cut with its row; in no case does the"
    " next request on a pooled connection get what is not its own.",
    quick=True,
)
async def framing(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        seen = []
        for scenario in (*FRAMED_WELL, *FRAMED_BADLY):
            answer = await client.ask(scenario)
            following = [await client.ask("echo") for _ in range(2)]
            for after in following:
                mine = (await noted(scene, after.id))["response_sha256"] == after.sha256
                require(after.ok and mine, f"after {scenario} the next request got {after.status}, {after.ending}")
            if scenario in FRAMED_WELL:
                require(answer.ok, f"{scenario}: {answer.status}, {answer.ending}")
            else:
                bad = answer.status == 502 or answer.ending == "cut" or answer.ok
                require(bad, f"{scenario}: {answer.status}, {answer.ending}")
            seen.append(f"{scenario.partition(';')[0]} {answer.status} {answer.ending}")
        await nothing_lost(scene, gateway)
        return ", ".join(seen)


DEEP = b'{"model":"m","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
ODD_BODIES = {
    "200 000 levels deep": DEEP,
    "a number of 5 000 digits": b'{"model":"m","n":' + b"7" * 5000 + b"}",
    "NaN": b'{"model":"m","t":NaN,"u":-Infinity}',
    "keys twice": b'{"model":"m","model":"n","stream":false,"stream":false}',
    "a lone surrogate": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "no JSON": b"\xff\xfe\x00 not json {{{",
    "an array": b"[1,2,3]",
    "cut off": b'{"model":"m","messages":[{"role":',
    "NUL, escaped and not": b'{"model":"m","messages":[{"role":"user","content":"a\\u0000b"}],"y":"\x00"}',
}


async def through(scene: Scene, bodies: dict[str, bytes]) -> str:
    async with scene.gateway() as gateway:
        client: LoadClient = scene.client(gateway)
        answers = {name: await client.ask("echo", body=body) for name, body in bodies.items()}
        all_whole(answers.values())
        rows = await settled_rows(gateway)
        for name, answer in answers.items():
            line = await noted(scene, answer.id)
            require(line["request_sha256"] == answer.request_sha256, f"{name}: the provider got other bytes")
            require(rows[answer.id]["request_sha256"] == answer.request_sha256, f"{name}: the history holds others")
            expect(rows[answer.id], "completed")
        return f"{await nothing_lost(scene, gateway)}: {', '.join(bodies)}"


@row(
    "S-21",
    "JSON that breaks parsers (200 000 levels, 5 000 digits, NaN, keys twice, lone surrogates, none at all) is"
    " forwarded untouched and recorded; never a 500.",
    quick=True,
)
async def odd_json(scene: Scene) -> str:
    return await through(scene, ODD_BODIES)


NULS = {
    "in a text": b'{"model":"m\\u0000n","stream":true,"messages":[{"role":"user","content":"a\\u0000b \\ud800"}]}',
    "in metadata": b'{"model":"m","metadata":{"user_id":"u\\u0000\\udfff"},"messages":[]}',
    "raw": b'{"model":"a\x00b","messages":[]}',
}


@row(
    "S-22",
    "What PostgreSQL's texts do not take (NUL, lone surrogates) in model, metadata or text: the row is stored,"
    " the bytes are the same on download.",
    quick=True,
)
async def nul_reaches_the_database(scene: Scene) -> str:
    return await through(scene, NULS)
