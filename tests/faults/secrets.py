"""SEC-05, SEC-16, SEC-17: secrets that are sent, configured or stored stand nowhere in clear."""

from __future__ import annotations

import asyncio
import base64
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tests.faults.checker import nothing_lost
from tests.faults.client import LoadClient, Pairs
from tests.faults.endings import noted
from tests.faults.nemesis import held_postgres
from tests.faults.registry import require, row
from tests.faults.replays import manage
from tests.faults.scene import Gateway, Scene, until

CANARIES = {
    "provider key": "sk-ant-api03-canary-of-the-provider-7Q2vXw",
    "Turnlog key": "tl_canary-of-the-caller-9fKd31aa",
    "wrong key": "tl_canary-nobody-knows-5TbM20cc",
    "cookie": "canary-session-cookie-3hRw88dd",
    "query key": "sk-canary-in-the-query-1pLz64ee",
    "database password": "canary-database-password-6yNs17ff",
    "own header": "canary-proxy-authorization-2kGt95gg",
}
MARK = b"no-secret-and-therefore-found-4Wd"
"""Sent beside the secrets; a search that does not find it would not find them either."""
COOKIE: Pairs = [
    (b"cookie", b"session=" + CANARIES["cookie"].encode()),
    (b"proxy-authorization", b"Basic " + base64.b64encode(b"me:" + CANARIES["own header"].encode())),
    (b"x-visible", MARK),
    (b"x-internal-token", CANARIES["own header"].encode()),
]


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may stand somewhere: as it is, in base64 at any offset, percent-encoded, in hex."""
    raw = secret.encode()
    found = {"clear": raw, "urlencoded": urllib.parse.quote(secret, safe="").encode(), "hex": raw.hex().encode()}
    for offset in range(3):
        # The letters at both ends depend on what stands before and behind.
        coded = base64.b64encode(b"\0" * offset + raw)[offset and 4 : -4]
        found[f"base64+{offset}"] = coded
        found[f"base64url+{offset}"] = coded.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def hits(where: str, data: bytes, names: tuple[str, ...] = tuple(CANARIES)) -> list[str]:
    return [
        f"{name} ({form}) in {where}" for name in names for form, text in forms(CANARIES[name]).items() if text in data
    ]


def in_files(folder: Path, names: tuple[str, ...] = tuple(CANARIES)) -> list[str]:
    """Every file below, PostgreSQL's own and its log of changes too."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found += hits(str(path.relative_to(folder)), path.read_bytes(), names)
    return found


def in_tables(gateway: Gateway) -> list[str]:
    """Every column of every table, as text, as a dump would write it."""
    tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
    found = []
    everything = b""
    with gateway.connect() as connection:
        for (table,) in connection.execute(tables).fetchall():
            with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as copy:
                dump = b"".join(bytes(block) for block in copy)
            # bytea stands in hex there.
            plain = re.sub(rb"\\\\x([0-9a-f]+)", lambda match: bytes.fromhex(match[1].decode()), dump)
            found += hits(table, dump + plain)
            everything += dump
    require(len(everything) > 1000, "the search of the tables finds nothing at all")
    return found


class Browser:
    """Signed in to the admin by the link `make run` prints."""

    def __init__(self, gateway: Gateway) -> None:
        self.base = gateway.url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        link = re.search(r"http://\S+/enter/\S+", gateway.run.output)
        require(link, "make run printed no link to sign in with")
        assert link is not None
        page = self.opener.open(link[0], timeout=20)
        if "/admin/" not in page.url or "login" in page.url:
            text = page.read().decode()
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
            require(token, "the sign-in page has no form")
            assert token is not None
            data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1]}).encode()
            page = self.opener.open(urllib.request.Request(page.url, data=data, headers={"Referer": page.url}))

    def get(self, path: str) -> bytes:
        with self.opener.open(self.base + path, timeout=20) as page:
            body: bytes = page.read()
            require(page.status == 200 and "/login" not in page.url, f"{path} led to {page.url}")
            return body

    def post(self, path: str, fields: dict[str, str]) -> None:
        """Send a form of the admin, which must take it: that leads to another page."""
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path))
        assert token is not None
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1].decode()} | fields).encode()
        request = urllib.request.Request(self.base + path, data=data, headers={"Referer": self.base + path})
        with self.opener.open(request, timeout=20) as page:
            require(page.url != self.base + path, f"{path} did not take the form: {page.read()[-3000:]!r}")


async def traffic(scene: Scene, client: LoadClient) -> None:
    key = CANARIES["Turnlog key"].encode()
    query = "/v1/messages?key=" + urllib.parse.quote(CANARIES["query key"])
    ways: list[Pairs] = [[(b"authorization", b"Bearer " + key)], [(b"x-api-key", key)], [(b"x-turnlog-key", key)]]
    for way in ways:
        for scenario in ("text", "duplicate_headers", "error_401", "cut_rst", "silence;after_events=2"):
            await client.ask(scenario, target=query, headers=[*way, *COOKIE])
    for path in ("/v1/messages", "/v1/chat/completions"):
        wrong = await client.ask(target=path, headers=[(b"authorization", b"Bearer " + CANARIES["wrong key"].encode())])
        require(wrong.status == 401, f"a wrong key got {wrong.status} on {path}")


@row(
    "SEC-05",
    "Keys of provider and caller, wrong ones, cookies, a key in the query and the database's password, sent through and"
    " configured: no trace, in clear, base64, percent-encoded or hex, in spool, logs, every table, PostgreSQL's files,"
    " pages of the admin, history and exports.",
    quick=True,
)
async def canaries(scene: Scene) -> str:
    keys = scene.directory / "keys"
    keys.write_text(f"ada={CANARIES['Turnlog key']}\n")
    settings = {
        "TURNLOG_ACCESS_KEYS_FILE": str(keys),
        "TURNLOG_ANTHROPIC_KEY": CANARIES["provider key"],
        "TURNLOG_OPENAI_KEY": CANARIES["provider key"],
        "TURNLOG_IDLE_TIMEOUT": "0.5",
        "TURNLOG_LOG_LEVEL": "debug",
    }
    async with scene.gateway(scene.directory / "base") as base:
        directory = base.data_dir / "postgres" / "socket"
        host = urllib.parse.quote(str(directory), safe="")
        port = re.search(r'"port": (\d+)', (base.data_dir / "postgres" / "address.json").read_text())
        assert port
        url = f"postgresql://turnlog:{CANARIES['database password']}@/turnlog?host={host}&port={port[1]}"
        async with scene.gateway(scene.directory / "data", DATABASE_URL=url, **settings) as gateway:
            found = await asyncio.to_thread(looked_at, scene, gateway, await searched(scene, gateway, base), base)
    for log in scene.directory.glob("run-*.log"):
        found += hits(log.name, log.read_bytes())
    require(not found, f"{len(found)} traces: {', '.join(found[:6])}")
    return f"{len(CANARIES)} canaries in {len(forms('x' * 30))} forms: no trace"


async def searched(scene: Scene, gateway: Gateway, base: Gateway) -> list[str]:
    client = scene.client(gateway)
    with held_postgres(base.data_dir):
        await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
        await traffic(scene, client)
        await gateway.until_status(lambda status: status["in_flight"] == 0, "nothing is in flight")
        await asyncio.sleep(0.5)
        found = in_files(gateway.spool)
        kept = b"".join(path.read_bytes() for path in gateway.spool.glob("*/0*.*"))
        require(MARK in kept, "the search of the spool finds nothing at all")
    await nothing_lost(scene, gateway)
    return found


def looked_at(scene: Scene, gateway: Gateway, found: list[str], base: Gateway) -> list[str]:
    rows = gateway.console.ask("rows")
    require(len(rows) >= 17, f"only {len(rows)} rows to look at")
    browser = Browser(gateway)
    pages = ["/admin/", "/admin/gateway/requestlog/"]
    pages += [f"/d/r/{row['id']}/?tab={tab}" for row in rows for tab in ("messages", "raw", "headers", "limits")]
    shown = b"".join(browser.get(page) for page in pages)
    require(MARK in shown, "the search of the admin's pages finds nothing at all")
    found += hits("a page of the admin", shown)
    for one in rows:
        found += hits("history show", repr(gateway.console.ask("show", id=one["id"])).encode())
    with base.connect() as connection:
        connection.execute("CHECKPOINT")
    found += in_tables(base)
    found += in_files(base.data_dir) + in_files(gateway.data_dir)
    for log in (gateway.run.output, base.run.output):
        found += hits("what the processes say", log.encode())
    found += hits("history list", repr(rows).encode())
    return found


DOCUMENT = """
providers:
  - name: mirror
    dialect: anthropic
    address: {url}
    credentials:
      - {{name: main, secret: {secret}}}
routes:
  - {{match: "claude-*", provider: mirror}}
api_keys:
  - {{name: ada, key_env: CANARY_KEY}}
"""


@row(
    "SEC-16",
    "A provider's key given to `config apply` or the admin lies encrypted, the encryption key outside the database; an"
    " access key lies as a keyed hash; no page, export, dump or file shows either, and both work.",
)
async def at_rest(scene: Scene) -> str:
    document = scene.directory / "config.yaml"
    document.write_text(DOCUMENT.format(url=scene.provider.url, secret=CANARIES["provider key"]))
    async with scene.gateway(TURNLOG_UPSTREAM_ALLOW_HOSTS="127.0.0.1") as gateway:
        gateway.environment["CANARY_KEY"] = CANARIES["Turnlog key"]
        await manage(gateway, "config", "apply", str(document))
        client = scene.client(gateway)
        way = [(b"x-api-key", CANARIES["Turnlog key"].encode())]

        def is_keyed() -> bool:
            request = urllib.request.Request(f"{gateway.url}/v1/messages", data=b"{}", headers={"x-api-key": "tl_no"})
            try:
                urllib.request.urlopen(request, timeout=5)
            except urllib.error.HTTPError as refusal:
                return refusal.code == 401
            return False

        await until(is_keyed, "the new key is in force", 5)
        answer = await client.ask(headers=way)
        require(answer.ok, f"the key does not open the gateway: {answer.status}")
        sent = dict((await noted(scene, answer.id))["request_headers"])
        require(sent.get("x-api-key") == CANARIES["provider key"], "the provider did not get its key")
        with gateway.connect() as connection:
            connection.execute("CHECKPOINT")
        found = in_tables(gateway) + in_files(gateway.data_dir)
        found += hits("config export", (await manage(gateway, "config", "export")).encode())
        found += hits("dumpdata", (await manage(gateway, "dumpdata", "gateway")).encode())
        browser = await asyncio.to_thread(Browser, gateway)
        for page in ("provider", "credential", "apikey"):
            found += await asyncio.to_thread(admin_pages, browser, page)
        require(not found, f"{len(found)} traces: {', '.join(found[:6])}")
        return "no trace in tables, files, export, dump and pages"


def admin_pages(browser: Browser, model: str) -> list[str]:
    """The list and every page it links to."""
    try:
        listing = browser.get(f"/admin/gateway/{model}/")
    except urllib.error.HTTPError as error:
        require(error.code == 404, f"the list of {model} answered {error.code}")
        return []
    links = set(re.findall(rf"/admin/gateway/{model}/[^/\"]+/change/", listing.decode()))
    found = hits(f"admin list of {model}", listing)
    for link in links:
        found += hits(link, browser.get(link))
    return found


@row(
    "SEC-17",
    "`authorization`, `x-api-key`, `cookie`, `set-cookie`, `proxy-*` and every header whose name speaks of a secret are"
    " fingerprints before they reach the spool.",
    quick=True,
)
async def before_the_spool(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        names = ("wrong key", "cookie", "query key", "own header")
        headers = [(b"x-api-key", CANARIES["wrong key"].encode()), (b"anthropic-version", b"2023-06-01"), *COOKIE]
        with held_postgres(gateway.data_dir):
            await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
            for scenario in ("text", "duplicate_headers"):
                target = f"/v1/messages?api_key={CANARIES['query key']}&beta=true"
                require((await client.ask(scenario, target=target, headers=headers)).ok, "a request failed")
            await asyncio.sleep(0.5)
            found = in_files(gateway.spool, names)
            data = b"".join(path.read_bytes() for path in gateway.spool.glob("*/0*.*"))
        require(b"x-api-key" in data and b"beta=true" in data, "the spool holds no headers to look at")
        provider_saw = dict(scene.seen()[-1]["request_headers"])
        require(provider_saw.get("x-api-key") == CANARIES["wrong key"], "the provider did not get the caller's key")
        require(b"a=1; path=/" not in data, "set-cookie is in the spool in clear")
        require(not found, f"{len(found)} traces: {', '.join(found[:6])}")
        return f"{await nothing_lost(scene, gateway)}; names kept, no value in clear"
