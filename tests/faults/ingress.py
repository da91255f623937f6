"""SEC-01, SEC-12, SEC-13: what callers may send at the door."""

from __future__ import annotations

import asyncio
import random
import socket

from tests.faults.checker import nothing_lost
from tests.faults.client import STREAM_BODY, Pairs
from tests.faults.endings import noted
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene

KEY = "tl_ada-and-her-key-0123456789"
SNIPPETS = (
    b"'", b'"', b"' OR 1=1 --", b"%00", b"\xff\xfe", "ключ".encode(), b"${jndi:x}", b"{{7*7}}", b"Bearer ", b"Basic ",
    KEY.encode()[:-1], KEY.upper().encode(), b"\t", b"a" * 2000, b";DROP TABLE gateway_apikey", b"%s%n", b"\x80", b",",
)  # fmt: skip


def odd_value(chance: random.Random) -> bytes:
    parts = [chance.choice(SNIPPETS) for _ in range(chance.randrange(4))]
    parts.append(bytes(byte for byte in chance.randbytes(chance.randrange(40)) if byte >= 32 and byte != 127))
    return b"".join(parts).strip()


@row(
    "SEC-01",
    "Thousands of odd keys (quotes, SQL, bytes, unicode, 60 kB) in `authorization` and `x-api-key`: in keyed mode only"
    " 401, never a 500 or the provider; in open mode they reach the provider byte for byte.",
    quick=True,
)
async def odd_keys(scene: Scene) -> str:
    chance = random.Random(20_251_121)
    count = scene.pick(500, 10_000)
    values = [odd_value(chance) for _ in range(count)] + [b"a" * 60_000, b""]
    keys = scene.directory / "keys"
    keys.write_text(f"ada={KEY}\n")
    settings = {"TURNLOG_ACCESS_KEYS_FILE": str(keys), "TURNLOG_ANTHROPIC_KEY": "sk-ant-api03-the-gateways-own"}
    async with scene.gateway(scene.directory / "keyed", **settings) as gateway:
        client = scene.client(gateway)

        async def one(number: int):
            name, value = (b"authorization", b"x-api-key")[number % 2], values[number]
            return await client.ask(headers=[(name, b"Bearer " + value if number % 4 == 0 else value)])

        answers = await client.many(len(values), one, at_once=16)
        wrong = [answer for answer in answers if answer.status != 401]
        require(not wrong, f"{len(wrong)} odd keys got {sorted({answer.status for answer in wrong})}")
        # The gateway itself asks now and then which models there are, with its own key.
        asked = [line["target"] for line in scene.seen() if line["method"] != "GET"]
        require(not asked, f"the provider was asked for {asked[:3]}")
        right = await client.ask(headers=[(b"x-api-key", KEY.encode())])
        require(right.ok, f"the right key got {right.status}")
        await nothing_lost(scene, gateway)
    return f"{len(values)} odd keys: 401; {await in_open_mode(scene, values[:: max(1, len(values) // 200)])}"


async def in_open_mode(scene: Scene, values: list[bytes]) -> str:
    values = [value for value in values if value and len(value) < 50_000]
    async with scene.gateway(scene.directory / "open") as gateway:
        client = scene.client(gateway)
        for value in values:
            answer = await client.ask(headers=[(b"x-api-key", value), (b"anthropic-version", b"2023-06-01")])
            require(answer.ok, f"{value[:60]!r}: {answer.status} {answer.ending}")
            line = await noted(scene, answer.id)
            got = dict(line["request_headers"]).get("x-api-key", "").encode("latin-1")
            require(got == value.strip(b" \t"), f"{value[:60]!r} reached the provider as {got[:60]!r}")
    return f"{len(values)} of them through in open mode"


async def wire(gateway: Gateway, data: bytes, seconds: float = 10.0) -> bytes:
    """What comes back for these bytes until the other side closes or is silent."""

    def talk() -> bytes:
        with socket.create_connection((gateway.host, gateway.port), 5) as connection:
            connection.sendall(data)
            connection.settimeout(seconds)
            parts = []
            try:
                while part := connection.recv(65_536):
                    parts.append(part)
            except (TimeoutError, ConnectionError):
                pass
        return b"".join(parts)

    return await asyncio.to_thread(talk)


def request(*headers: bytes, body: bytes = STREAM_BODY, line: bytes = b"POST /v1/messages HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *headers]) + b"\r\n\r\n" + body


HOST = b"Host: gateway"
LENGTH = b"Content-Length: %d" % len(STREAM_BODY)
AUTH = b"x-api-key: sk-ant-mine"
CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /v1/models?smuggled=1 HTTP/1.1\r\nHost: gateway\r\nx-api-key: k\r\n\r\n"
REFUSED = {
    "length and chunks": request(HOST, AUTH, b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
    "two lengths": request(HOST, AUTH, b"Content-Length: 5", LENGTH),
    "length with a sign": request(HOST, AUTH, b"Content-Length: +5"),
    "odd transfer-encoding": request(HOST, AUTH, b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "space before the colon": request(HOST, AUTH, b"Content-Length : 5"),
    "folded header": request(HOST, AUTH, b"X-A: b\r\n c", LENGTH),
    "NUL in a value": request(HOST, AUTH, b"X-A: a\0b", LENGTH),
    "NUL in a name": request(HOST, AUTH, b"X\0A: b", LENGTH),
    "CR in a value": request(HOST, AUTH, b"X-A: a\rX-B: c", LENGTH),
    "underscore in a name": request(HOST, AUTH, b"X_A: b", LENGTH),
    "no Host": request(AUTH, LENGTH),
    "two Hosts": request(HOST, HOST, AUTH, LENGTH),
    "head of 70 kB": request(HOST, AUTH, b"X-A: " + b"a" * 70_000, LENGTH),
    "request line of 17 kB": request(HOST, AUTH, LENGTH, line=b"POST /v1/" + b"a" * 17_000 + b" HTTP/1.1"),
    "chunk size beyond 64 bits": request(HOST, AUTH, CHUNKED, body=b"fffffffffffffffff\r\nx\r\n0\r\n\r\n"),
    "chunk size with rubbish": request(HOST, AUTH, CHUNKED, body=b"5;\nabc\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    "HTTP/9": request(HOST, AUTH, LENGTH, line=b"POST /v1/messages HTTP/9.9"),
}


@row(
    "SEC-13",
    "Requests two servers could read in two ways (length and chunks, two lengths, folds, spaces, NUL, underscores, no"
    " or two Hosts, heads beyond 64 kB) are refused and the connection closed; nothing smuggled is ever served.",
    quick=True,
)
async def desync(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        wrong = []
        for name, data in REFUSED.items():
            answer = await wire(gateway, data)
            statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
            if len(statuses) != 1 or not statuses[0].startswith(b"4"):
                wrong.append(f"{name}: {b' '.join(statuses).decode() or 'no answer'}")
        smuggled = [line["target"] for line in scene.seen() if "smuggled" in line["target"]]
        require(not smuggled, f"smuggled requests reached the provider: {smuggled[:2]}")
        require(not wrong, "; ".join(wrong))
        fine = await wire(gateway, request(HOST, AUTH, LENGTH, b"Connection: close"))
        require(fine.startswith(b"HTTP/1.1 200"), f"a good request got {fine[:60]!r}")
        return f"{len(REFUSED)} refused with 4xx, none reached the provider"


HOP: Pairs = [
    (b"connection", b"keep-alive, x-drop-me"),
    (b"x-drop-me", b"1"),
    (b"keep-alive", b"timeout=5"),
    (b"te", b"trailers"),
    (b"proxy-authorization", b"Basic eA=="),
    (b"trailer", b"x-end"),
]
KEPT: Pairs = [
    (b"x-api-key", b"k"),
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"one-2026-01-01,two"),
    (b"x-kept", b"1"),
    (b"X-Kept", b"2"),
    (b"x-empty", b""),
]


@row(
    "SEC-12",
    "CR, LF and NUL in a header's name or value are refused on the way in; hop-by-hop headers and those named by"
    " `Connection` do not reach the provider, `Host` and length are the gateway's own, all others arrive"
    " in their order.",
    quick=True,
)
async def header_smuggling(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        answer = await client.ask(headers=[*KEPT[:3], *HOP, *KEPT[3:]])
        require(answer.ok, f"{answer.status} {answer.ending}")
        line = await noted(scene, answer.id)
        names = [name.lower() for name, _ in line["request_headers"]]
        passed = {"connection", "x-drop-me", "keep-alive", "te", "proxy-authorization", "trailer"} & set(names)
        require(not passed, f"reached the provider: {sorted(passed)}")
        got = [(name.lower(), value) for name, value in line["request_headers"]]
        wanted = [(name.decode().lower(), value.decode()) for name, value in KEPT]
        require([pair for pair in got if pair in wanted] == wanted, f"of {wanted} the provider got {got}")
        require(names.count("host") == 1 and names.count("content-length") == 1, f"got {names}")
        host = dict(line["request_headers"])["host"]
        require(host == scene.provider.url.removeprefix("http://"), f"the provider was called {host}")
        for value in (b"a\rb: c", b"a\0b", b"a\x7fb\x01"):
            back = await wire(gateway, request(HOST, AUTH, b"X-A: " + value, LENGTH))
            seen = any("b" in dict(one["request_headers"]) for one in scene.seen())
            require(not seen, f"{value!r} became a header of its own")
            require(back.startswith(b"HTTP/1.1 400") or b"\x01" in value, f"{value!r} got {back[:40]!r}")
        return f"{await nothing_lost_quietly(gateway)}; {', '.join(sorted(name.decode() for name, _ in HOP))} stay here"


async def nothing_lost_quietly(gateway: Gateway) -> str:
    """Raw requests carry no id of ours; that the books balance is what is asked."""
    status = await gateway.settle()
    require(status["balanced"], f"the line is wrong: {status}")
    return f"{status['stored']} stored"
