"""SEC-04, SEC-07, SEC-08, SEC-09: what pages show and do for those whom it is not meant for."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.faults.people import KEYS, MARK, REFUSED, SAID, SESSION, Place, among_two_teams, asked, token_in, two_teams
from tests.faults.registry import require, row
from tests.faults.replays import manage
from tests.faults.scene import Scene, until

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
SWITCH_OFF = """
from django.contrib.auth.models import User
User.objects.filter(username="blue").update(is_active=False)
"""
OF_NOBODY = (
    (MARK, "quark"),
    ("walrus", "gryphon"),
    ("team=red", "team=tan"),
    ("team:red", "team:tan"),
    ("team%3Ared", "team%3Atan"),
    ('"red"', '"tan"'),
    (">red<", ">tan<"),
)
"""What is asked for of red's, and the like that nobody has."""
OTHER = str.maketrans("0123456789abcdef", "123456789abcdef0")
CHANGING = re.compile(
    r'csrfmiddlewaretoken" value="[^"]*"|csrf-token" content="[^"]*"|data-(t|mark)="\d+"|\d[\d:.]* ?(UTC|ms|s|min)\b'
    r"|\d{4}-\d\d-\d\d[T ](\d\d(:|%3A)?)*[\d.+:Z]*"
)
"""What a page says anew each time: its token, and times."""


def readings(request_id: str) -> Iterator[str]:
    """Every way to ask for what red's key did: by page, field, text, id and place in a list."""
    for page in (
        "",
        "requests/",
        "errors/",
        "usage/",
        "models/",
        "quota/",
        "c/",
        "grades/",
        "agents/",
        "agents/now/",
        "live/since/",
    ):
        for query in ("range=30d", "team=red", f"model={MARK}-model", f"key={MARK}"):
            yield f"/d/{page}?{query}"
    for words in (
        f"model:{MARK}",
        f"key:{MARK}",
        "team:red",
        f"session:{SESSION}",
        "walrus",
        '"walrus of red"',
        request_id,
    ):
        yield f"/d/requests/?range=30d&q={words}"
    for tab in ("messages", "raw", "timeline", "headers", "limits", "cost", "related", "grade"):
        yield f"/d/r/{request_id}/?tab={tab}"
    for part in ("peek/", "raw/request/", "raw/response/", "copy/curl/", "copy/json/", "copy/markdown/"):
        yield f"/d/r/{request_id}/{part}"
    for query in ("range=30d", f"range=30d&q=key:{MARK}", "range=30d&format=ndjson", "team=red", "q=walrus"):
        yield f"/d/requests/file/?{query}"
    for part in ("", "?part=peek", "?copy=markdown", "?copy=json", f"?diff={request_id}"):
        yield f"/d/c/{SESSION}{part}"
    for group in ("team", "member", "key", "client", "model"):
        yield f"/d/usage/?range=30d&group={group}&format=csv"
    for path in ("requests", f"requests/{request_id}", "conversations", f"conversations/{SESSION}", "search?q=walrus"):
        yield f"/api/v1/{path}"


OF_ADDRESS = re.compile('<form|<input|<select|<a |<option|<meta|<div id="quota"|<div class="lv" data-')


def shown(text: str) -> str:
    """Without what a page only says again of what it was asked."""
    return "\n".join(line for line in text.splitlines() if not OF_ADDRESS.search(line))


def marks(place: Place, who: str) -> list[str]:
    """The addresses that show this person anything of red's."""
    with place.client(who) as client:
        found = []
        for address in readings(place.request_id):
            answer = client.get(address)
            require(
                answer.status_code in (200, 302, 400, 401, 403, 404, 422), f"{who}: {address} is a {answer.status_code}"
            )
            if answer.status_code == 200 and any(mark in shown(answer.text) for mark in (SAID, MARK)):
                found.append(address)
    return found


def of_nobody(text: str, request_id: str) -> str:
    for red, nobody in (*OF_NOBODY, (request_id, request_id[:-4] + request_id[-4:].translate(OTHER))):
        text = text.replace(red, nobody)
    return text


def different(place: Place, who: str) -> list[str]:
    """The addresses that answer this person otherwise, by status, count or choice, than if red's did not exist."""
    with place.client(who) as client:
        asked_twice = [(one, of_nobody(one, place.request_id)) for one in readings(place.request_id)]
        return [
            real
            for real, made_up in asked_twice
            # Times move on while one asks: what differs does so twice.
            if real != made_up and all(differs(client, real, made_up, place.request_id) for _ in range(2))
        ]


def differs(client: httpx.Client, real: str, made_up: str, request_id: str) -> bool:
    answers = [client.get(address) for address in (real, made_up)]
    said = [(answer.status_code, CHANGING.sub("", of_nobody(answer.text, request_id))) for answer in answers]
    return said[0] != said[1]


async def overheard(place: Place) -> None:
    """What the socket of blue's lead says while red asks, until it tells of blue's own request, which comes after."""
    own, last = place.gateway.url, "last-of-blue"
    with socket_of(place, "red", own) as red, socket_of(place, "blue", own) as blue, place.client("red") as client:
        await until(lambda: client.get("/d/live/since/").json()["tellers"], "the gateway tells what it does", 60)
        for team, model, session in (("red", f"{MARK}-model", SESSION), ("blue", "plain", last)):
            status = await asyncio.to_thread(asked, place.gateway, KEYS[team], model, session)
            require(status == 200, f"{team} got a {status}")
        require(MARK in await asyncio.to_thread(told, red, SESSION), "its own lead hears nothing of it")
        heard = await asyncio.to_thread(told, blue, last)
        require(MARK not in heard and SAID not in heard, f"the socket of blue says {heard[:500]}")


def told(socket: ClientConnection, word: str) -> str:
    """Everything a socket says until it says this."""
    said = ""
    while word not in said:
        said += str(socket.recv(timeout=60))
    return said


@row(
    "SEC-04",
    "What one team's key did is nowhere for the lead of another, for staff without a role and for nobody: every page,"
    " tab, list, count, search, copy, download, sum and answer of the read API, by id, name and text, and the live"
    " page's socket. Who asks for it by name gets the answer of a name that nobody has.",
)
async def apart(scene: Scene) -> str:
    async with two_teams(scene) as place:
        said = await asyncio.to_thread(look_across, place)
        await overheard(place)
    return said


def look_across(place: Place) -> str:
    own = marks(place, "red")
    require(len(own) > 25, f"its own lead sees it at {len(own)} addresses only: the search finds nothing")
    for who in ("blue", "staff", ""):
        found = marks(place, who)
        require(not found, f"{who or 'nobody'} is shown something at {found[:4]}")
        found = different(place, who)
        require(not found, f"{who or 'nobody'} is told that there is something by {found[:4]}")
    known = different(place, "red")
    require(len(known) > 25, f"to its own lead {len(known)} addresses only answer otherwise: nothing is compared")
    return f"{len(list(readings('')))} addresses; its own lead is shown it at {len(own)} of them"


def policy_of(answer: httpx.Response) -> dict[str, set[str]]:
    parts = (part.split() for part in answer.headers["content-security-policy"].split(";"))
    return {name: set(values) for name, *values in parts}


@row(
    "SEC-07",
    "The content policy of every page: under `/d/` neither `eval` nor inline script nor inline style, in the admin no"
    " inline script; nobody frames a page or moves its base, and it speaks to itself alone.",
)
async def policies(scene: Scene) -> str:
    return await among_two_teams(scene, look_at_policies)


def look_at_policies(place: Place) -> str:
    seen = {"/d/": 0, "/admin/": 0, "/accounts/": 0}
    with place.client("root") as client:
        pages = [address for address in readings(place.request_id) if address.startswith("/d/")]
        for address in [
            *pages,
            *(one for one in place.routes if one.startswith("/admin/")),
            "/accounts/2fa/",
            "/accounts/password/change/",
        ]:
            answer = client.get(address)
            if not answer.headers.get("content-type", "").startswith("text/html") or answer.status_code >= 300:
                continue
            policy = policy_of(answer)
            area = next(prefix for prefix in seen if address.startswith(prefix))
            scripts = {"'self'", "'unsafe-eval'"} if area == "/admin/" else {"'self'"}
            require(policy["script-src"] == scripts, f"{address}: scripts from {policy['script-src']}")
            require(area == "/admin/" or policy["style-src"] == {"'self'"}, f"{address}: styles {policy['style-src']}")
            require(policy["frame-ancestors"] == policy["base-uri"] == {"'none'"}, f"{address}: {policy}")
            require(policy["connect-src"] == {"'self'"}, f"{address}: {policy['connect-src']}")
            inline = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*type=.application/json)[^>]*>", answer.text)
            require(not inline, f"{address} holds {inline[:2]}")
            seen[area] += 1
    require(all(seen.values()), f"no page of some kind was seen: {seen}")
    return ", ".join(f"{number} pages under {area}" for area, number in seen.items())


@row(
    "SEC-08",
    "Nothing is changed by a request that lacks its token, whoever is signed in: every address of pages, admin and read"
    " API, with every unsafe method. The gateway's own paths take keys and no cookie.",
)
async def tokens(scene: Scene) -> str:
    return await among_two_teams(scene, post_without_tokens)


def post_without_tokens(place: Place) -> str:
    tried = 0
    with place.client("root") as client:
        for address in place.routes:
            for method in UNSAFE:
                status = client.request(method, address, json={}).status_code
                require(status in REFUSED, f"{method} {address} is a {status}")
                tried += 1
        require(tried > 400, f"{tried} requests only")
        for path in ("/v1/messages", "/v1/chat/completions", "/v1/responses"):
            status = client.post(path, json={"model": "plain", "messages": []}).status_code
            require(status == 401, f"a cookie alone got {status} on {path}")
    return f"{tried} requests to {len(place.routes)} addresses refused"


@row(
    "SEC-09",
    "The socket of the live page opens for our own pages alone, to who is signed in and belongs somewhere; who signs"
    " out or is switched off is cut off within 30 seconds.",
    timed=True,
)
async def sockets(scene: Scene) -> str:
    async with two_teams(scene) as place:
        own = place.gateway.url
        for who, origin in (("red", "https://evil.example"), ("red", None), ("staff", own), ("", own)):
            status = await asyncio.to_thread(refused_with, place, who, origin)
            require(status == 403, f"a socket of {who or 'nobody'} from {origin} got {status}")
        with socket_of(place, "red", own) as red, socket_of(place, "blue", own) as blue:
            await asyncio.to_thread(sign_out, place, "red")
            await manage(place.gateway, "shell", "-c", SWITCH_OFF)
            began = time.monotonic()
            codes = await asyncio.gather(*(asyncio.to_thread(cut_off_with, one) for one in (red, blue)))
            seconds = time.monotonic() - began
        require(codes == [4401, 4401], f"the sockets were closed with {codes}")
        require(seconds < 32, f"they were cut off after {seconds:.0f} s")
    return f"4 refused, 2 cut off within {seconds:.0f} s"


def socket_of(place: Place, who: str, origin: str | None) -> ClientConnection:
    headers = {"Cookie": f"sessionid={place.sessions.get(who, '')}"}
    address = place.gateway.url.replace("http", "ws") + "/d/ws/live"
    return connect(address, additional_headers=headers, origin=origin and Origin(origin), proxy=None)


def refused_with(place: Place, who: str, origin: str | None) -> int:
    """101: it was not."""
    try:
        with socket_of(place, who, origin):
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def cut_off_with(socket: ClientConnection) -> int:
    try:
        while True:
            socket.recv(timeout=60)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


def sign_out(place: Place, who: str) -> None:
    with place.client(who) as client:
        answer = client.post("/accounts/logout/", data={"csrfmiddlewaretoken": token_in(client.get("/d/").text)})
        require(answer.status_code == 302, f"signing out is a {answer.status_code}")
