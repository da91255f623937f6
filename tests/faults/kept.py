"""SEC-14, SEC-15, SEC-22: header rules that would do harm, and that what is not to be kept is kept nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import zipfile
import zlib
from functools import cache
from pathlib import Path

import zstandard

from gateway.policy.header_rules import Action, Direction, HeaderRuleEntry, RuleContext
from gateway.policy.header_ways import HeaderRules
from tests.clients.processes import ROOT
from tests.faults.client import LoadClient, Pairs, Received
from tests.faults.endings import noted
from tests.faults.nemesis import held_postgres
from tests.faults.registry import require, row
from tests.faults.replays import manage
from tests.faults.scene import Gateway, Scene, until

RULES = 10_000
IN_FORCE = "is in force"
LONGEST_MS = 5.0
ZSTD = b"\x28\xb5\x2f\xfd"
CANARIES = {
    "metadata": ("canary-said-under-metadata-8Qx2", "canary-answered-under-metadata-1Rv5"),
    "none": ("canary-said-under-none-4Tz7", "canary-answered-under-none-9Wn3"),
}
MARK = "said-and-kept-and-therefore-found-6Yp1"
DOCUMENT = """
capture_policies:
- {name: works-council, mode: metadata, models: [quiet-*]}
- {name: silent, mode: none, models: [silent-*]}
"""
DANGEROUS = """
header_rules:
- {{name: rule, header: {header}, action: {action}, value: "{value}", find: "{find}", is_pattern: {pattern},
   state: {state}}}
"""
HARMLESS = {"action": "replace", "find": "a+b", "pattern": "true"}
HARMFUL = {
    "a look-ahead": {"action": "replace", "find": "(?=a)b", "pattern": "true"},
    "a back-reference": {"action": "replace", "find": "(a)\\\\1", "pattern": "true"},
    "the provider's credential": {"header": "authorization", "action": "block"},
    "the length": {"header": "content-length", "action": "set", "value": "1"},
    "the host": {"header": "host", "action": "set", "value": "evil.example"},
    "a line break": {"action": "set", "value": "a\\r\\nx-evil: 1"},
    "a letter beyond ASCII": {"action": "set", "value": "é"},
    "live without a dry run": {"action": "set", "value": "fine", "state": "live"},
}


@row(
    "SEC-14",
    "Header rules are literal or RE2: what RE2 does not take is refused when it is saved, and ten thousand rules cost"
    " less than 5 ms of CPU for a header of 8 kB.",
    quick=True,
    timed=True,
)
async def linear_rules(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        for name in ("a look-ahead", "a back-reference"):
            require(not await taken(gateway, name), f"a rule with {name} was taken")
        require(await taken(gateway, ""), "a harmless rule was refused")
    figures = {}
    for kind in ("literal", "pattern"):
        rules = HeaderRules([numbered(number, is_pattern=kind == "pattern") for number in range(RULES)])
        figures[kind] = min(measured(rules, f"{turn}".encode() + b"a" * 8000) for turn in range(5))
    require(max(figures.values()) < LONGEST_MS, f"it takes {figures} ms")
    return f"{RULES} rules, 8 kB: " + ", ".join(f"{kind} {ms:.2f} ms" for kind, ms in figures.items())


def numbered(number: int, *, is_pattern: bool) -> HeaderRuleEntry:
    find = f"(a+)+z{number}" if is_pattern else f"needle-{number}"
    header = b"x-long" if number % 100 == 0 else b"x-other-%d" % (number % 100)
    return HeaderRuleEntry(
        number, f"r{number}", Direction.REQUEST, header, Action.REPLACE, b"", find.encode(), is_pattern=is_pattern
    )


def measured(rules: HeaderRules, value: bytes) -> float:
    """Milliseconds of CPU, for a value that was not seen before."""
    context, pairs = RuleContext("anthropic"), [(b"x-long", value)]
    rules.apply(Direction.REQUEST, context, [(b"x-long", b"first")])
    began = time.process_time()
    rules.apply(Direction.REQUEST, context, pairs)
    return (time.process_time() - began) * 1_000


async def taken(gateway: Gateway, name: str) -> bool:
    """Whether `config apply` takes a rule of HARMFUL."""
    usual = {"header": "x-team", "value": "", "find": "", "pattern": "false", "state": "draft"}
    document = DANGEROUS.format(**usual | HARMFUL.get(name, HARMLESS))
    command = [sys.executable, "manage.py", "config", "apply", "-", "--dry-run"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=gateway.environment, input=document, text=True, capture_output=True
    )
    return done.returncode == 0


@row(
    "SEC-15",
    "A header rule cannot take the provider's credential or the framing away, hold a line break, or go live without a"
    " dry run on recorded requests; the caller's Turnlog key is gone before rules run; back to draft is one command.",
)
async def no_footguns(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        require((await client.ask()).ok, "a request failed")
        await gateway.settle()
        went = [name for name in HARMFUL if await taken(gateway, name)]
        require(not went, f"a rule was taken that touches {', '.join(went)}")
        document = scene.directory / "rule.yaml"
        document.write_text(
            "header_rules:\n- {name: team, header: x-turnlog-copy, action: set, value: a}\n"
            "- {name: tag, header: x-tag, action: set, value: seen}\n"
        )
        require(not await applies(gateway, document), "a rule about Turnlog's own header was taken")
        document.write_text("header_rules:\n- {name: tag, header: x-tag, action: set, value: seen}\n")
        require(await applies(gateway, document), "a harmless rule was refused")
        said = await manage(gateway, "headerrules", "dry-run", "tag")
        require("of 1 requests 1 change" in said, f"the dry run says {said}")
        await manage(gateway, "headerrules", "live", "tag")
        await until(lambda: tagged(scene, client), "the rule is live", 10)
        sent = dict(scene.seen()[-1]["request_headers"])
        require("x-turnlog-key" not in sent, "the caller's Turnlog key reached the provider")
        await manage(gateway, "headerrules", "draft", "tag")
        await until(lambda: not tagged(scene, client), "the rule is out of force", 10)
        return f"{len(HARMFUL) + 1} harmful rules refused; {said.splitlines()[0]}; live and back"


async def applies(gateway: Gateway, document: Path) -> bool:
    command = [sys.executable, "manage.py", "config", "apply", str(document)]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, env=gateway.environment, capture_output=True)
    return done.returncode == 0


def tagged(scene: Scene, client: LoadClient) -> bool:
    key: Pairs = [(b"x-api-key", b"k"), (b"x-turnlog-key", b"tl_of-the-caller")]
    asyncio.run(client.ask(headers=key))
    return dict(scene.seen()[-1]["request_headers"]).get("x-tag") == "seen"


@row(
    "SEC-22",
    "Under the capture modes `metadata` and `none` what was said and answered is nowhere: not in the spool while"
    " PostgreSQL is down, not in a table, a file, a log, an export in any format or a backup. The provider and the"
    " client get every byte.",
)
async def kept_nowhere(scene: Scene) -> str:
    async with scene.gateway(TURNLOG_LOG_LEVEL="debug") as gateway:
        document = scene.directory / "capture.yaml"
        document.write_text(DOCUMENT)
        before = gateway.run.output.count(IN_FORCE)
        require(await applies(gateway, document), "the policies were refused")
        client = scene.client(gateway)
        await until(lambda: gateway.run.output.count(IN_FORCE) > before, "the policies are in force", 10)
        with held_postgres(gateway.data_dir):
            await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
            await said(scene, client)
            await gateway.until_status(lambda status: status["in_flight"] == 0, "nothing is in flight")
            await asyncio.sleep(0.5)
            found = traces(gateway.spool)
            require(MARK in "".join(marks(gateway.spool)), "the search of the spool finds nothing at all")
        await said(scene, client)
        status = await gateway.settle()
        with gateway.connect() as connection:
            connection.execute("CHECKPOINT")
        found += await handed_out(scene, gateway)
        found += traces(gateway.data_dir)
        found += in_dump(gateway)
        (scene.directory / "output.log").write_text(gateway.run.output)
        found += traces(scene.directory / "output.log")
    require(not found, f"{len(found)} traces: {', '.join(found[:6])}")
    require(status["dropped"].get("capture_none"), f"nothing is counted as not kept: {status}")
    return "no trace of 4 canaries in spool, tables, files, logs, 3 exports and a backup; one that is kept is found"


async def said(scene: Scene, client: LoadClient) -> None:
    for mode, (asked, answered) in CANARIES.items():
        model = {"metadata": "quiet-model", "none": "silent-model"}[mode]
        for stream in (True, False):
            answer = await say(client, model, f"{asked} echo {answered}", stream=stream)
            require(answer.ok, f"a request under {mode} got {answer.status}")
            line = await noted(scene, answer.id)
            require(line["request_sha256"] == answer.request_sha256, "the provider did not get the bytes as they were")
    require((await say(client, "claude-model", MARK, stream=True)).ok, "a request failed")


async def say(client: LoadClient, model: str, text: str, *, stream: bool) -> Received:
    messages = [{"role": "user", "content": text}]
    body = json.dumps({"model": model, "max_tokens": 64, "stream": stream, "messages": messages}).encode()
    headers: Pairs = [(b"x-api-key", b"k"), (b"x-said-by-header", text.split()[0].encode())]
    target = "/v1/messages" if text == MARK else f"/v1/messages?said={text.split()[0]}"
    return await client.ask("text", target=target, body=body, headers=headers)


async def handed_out(scene: Scene, gateway: Gateway) -> list[str]:
    """Exports in all formats and a backup."""
    found = []
    for form in ("jsonl", "har", "parquet"):
        path = scene.directory / f"export.{form}"
        await manage(gateway, "history", "export", "--format", form, "-o", str(path))
        found += traces(path)
    path = scene.directory / "backup.zip"
    await manage(gateway, "backup", str(path))
    unpacked = scene.directory / "backup"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    found += traces(unpacked)
    require(MARK in (scene.directory / "export.jsonl").read_text(), "the export has nothing to look at")
    return found


def in_dump(gateway: Gateway) -> list[str]:
    """Every column of every table, and what lies compressed in it."""
    tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
    found, kept = [], 0
    with gateway.connect() as connection:
        for (table,) in connection.execute(tables).fetchall():
            for row in connection.execute(f"SELECT * FROM {table}").fetchall():
                for value in row:
                    data = opened(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                    found += hits(table, data)
                    kept += MARK.encode() in data
    require(kept, "the search of the tables finds nothing at all")
    return found


def traces(place: Path) -> list[str]:
    paths = [place] if place.is_file() else sorted(place.rglob("*"))
    return [hit for path in paths if path.is_file() for hit in hits(path.name, opened(path.read_bytes()))]


def marks(place: Path) -> list[str]:
    return [MARK for path in place.rglob("*") if path.is_file() and MARK.encode() in opened(path.read_bytes())]


def hits(where: str, data: bytes) -> list[str]:
    every = [canary for both in CANARIES.values() for canary in both]
    return [
        f"{canary} in {where}" for canary in every if canary.encode() in data or canary.encode().hex().encode() in data
    ]


@cache
def readers() -> tuple[zstandard.ZstdDecompressor, ...]:
    """Without a dictionary, and by the history's own."""
    plain = zstandard.ZstdDecompressor()
    files = sorted((ROOT / "gateway" / "history" / "dictionaries").glob("*.zst"))
    contents = [plain.decompress(path.read_bytes()) for path in files]
    made = [zstandard.ZstdCompressionDict(text, dict_type=zstandard.DICT_TYPE_RAWCONTENT) for text in contents]
    return (plain, *(zstandard.ZstdDecompressor(dict_data=each) for each in made))


def opened(value: bytes | memoryview) -> bytes:
    """The bytes, and behind them what lies in them compressed by zstd or deflate."""
    data = bytes(value)
    parts, at = [data], data.find(ZSTD)
    while at >= 0:
        for reader in readers():
            with contextlib.suppress(zstandard.ZstdError):
                parts.append(reader.decompressobj().decompress(data[at:]))
        at = data.find(ZSTD, at + 1)
    with contextlib.suppress(zlib.error):
        parts.append(zlib.decompress(data))
    return b"\n".join(parts)
