"""Two teams in a running gateway, `red` and `blue`, each with a key and a lead; red's lead has a place in the admin
too, `staff` has only that. What one of them did is in the history."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.e2e.people import MAKE
from tests.faults.registry import require
from tests.faults.replays import manage
from tests.faults.scene import Gateway, Scene, until
from tests.faults.summed_up import none_due

SAID = "the walrus of red sings"
MARK = "zebra"
"""In every name of red's: model, session, client, key."""
SESSION = f"{MARK}-session"
KEYS = {"red": f"tl_{MARK}-key-of-red-0123456789", "blue": "tl_key-of-blue-0123456789"}
FORMULA = "=HYPERLINK(1)"
DOCUMENT = f"""
providers:
  - {{{{name: mirror, dialect: anthropic, address: "{{url}}", keyless: true}}}}
routes: [{{{{match: "*", provider: mirror}}}}]
teams: [{{{{name: red}}}}, {{{{name: blue}}}}]
api_keys:
  - {{{{name: {MARK}, key_env: KEY_RED, team: red}}}}
  - {{{{name: other, key_env: KEY_BLUE, team: blue}}}}
"""
PEOPLE = [
    ("root", "superuser", ""),
    ("red", "lead", "red"),
    ("blue", "lead", "blue"),
    ("ops", "ops", ""),
    ("staff", "", ""),
]
PLACES = """
from django.contrib.auth.models import User
User.objects.filter(username__in=["red", "staff"]).update(is_staff=True)
User.objects.create_user("visitor", password="a long password", is_staff=True, is_superuser=True)
"""
ROUTES = """
import re
from django.urls import URLResolver, get_resolver
SAMPLES = {"int": "1", "uuid": "00000000-0000-0000-0000-000000000000"}
def walk(patterns, before):
    for entry in patterns:
        address = before + re.sub(r"<(?:(\\w+):)?\\w+>", lambda part: SAMPLES.get(part[1], "x"), str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, address)
        elif "(" not in address and "^" not in address:
            yield address
for address in sorted(set(walk(get_resolver().url_patterns, "/"))):
    print("route", address)
"""
REFUSED = (401, 403, 404, 405)


@dataclass
class Place:
    gateway: Gateway
    sessions: dict[str, str]
    request_id: str
    """Of red's."""
    routes: list[str]
    """Every address of the pages and the read API, with samples for what stands in it."""

    def client(self, who: str = "") -> httpx.Client:
        cookies = {"sessionid": self.sessions[who]} if who else {}
        return httpx.Client(base_url=self.gateway.url, cookies=cookies, timeout=60, trust_env=False)


@asynccontextmanager
async def two_teams(scene: Scene) -> AsyncIterator[Place]:
    """Exchanges of both teams are in the history, and in the sums."""
    document = scene.directory / "config.yaml"
    document.write_text(DOCUMENT.format(url=scene.provider.url))
    async with scene.gateway(TURNLOG_UPSTREAM_ALLOW_HOSTS="127.0.0.1") as gateway:
        gateway.environment |= {"KEY_RED": KEYS["red"], "KEY_BLUE": KEYS["blue"]}
        await manage(gateway, "config", "apply", str(document), "--yes")
        await until(lambda: asked(gateway, "nobody's") == 401, "the keys are in force", 20)
        for team, model in (("red", f"{MARK}-model"), ("blue", "plain"), ("blue", FORMULA)):
            require(
                asked(gateway, KEYS[team], model, SESSION if team == "red" else "of-blue") == 200, f"{team} got none"
            )
        await gateway.until_status(lambda told: told["stored"] >= 3 and not told["spooled"], "three are stored", 60)
        await until(lambda: none_due(gateway), "they are summed up", 60)
        said = await manage(gateway, "shell", "-c", MAKE.format(people=PEOPLE) + PLACES)
        sessions = {words[1]: words[2] for line in said.splitlines() if (words := line.split())[:1] == ["session"]}
        with gateway.connect() as connection:
            found = connection.execute("SELECT id FROM gateway_requestlog WHERE team = 'red'").fetchone()
        require(found, "red's request is not in the history")
        assert found is not None
        told = await manage(gateway, "shell", "-c", ROUTES)
        addresses = [words[1] for line in told.splitlines() if (words := line.split())[:1] == ["route"]]
        yield Place(gateway, sessions, str(found[0]), addresses)


async def among_two_teams(scene: Scene, look: Callable[[Place], str]) -> str:
    """What a row that only looks and asks has to say."""
    async with two_teams(scene) as place:
        return await asyncio.to_thread(look, place)


def asked(gateway: Gateway, key: str, model: str = "plain", session: str = "") -> int:
    body = {
        "model": model,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": SAID if session == SESSION else "x"}],
    }
    headers = {
        "x-api-key": key,
        "x-claude-code-session-id": session,
        "user-agent": f"{MARK}/1.0" if session == SESSION else "x",
    }
    return httpx.post(f"{gateway.url}/v1/messages", json=body, headers=headers, timeout=30, trust_env=False).status_code


def token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    require(found, "the page has no form")
    assert found is not None
    return found[1]
