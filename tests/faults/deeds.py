"""SEC-18, SEC-23, SEC-24: what people take away and change, may not, and that it is written down."""

from __future__ import annotations

import csv
import io
import json
import re

import httpx
import psycopg
from psycopg import sql

from tests.faults.people import FORMULA, KEYS, REFUSED, Place, among_two_teams, token_in
from tests.faults.registry import require, row
from tests.faults.scene import Scene

INCIDENT = "the incident of today"
OPEN_TO_STAFF = re.compile(
    r"^/admin/(|login/|logout/|password_change/|password_change/done/|jsi18n/|autocomplete/|search/)$"
)


@row(
    "SEC-18",
    "What is taken away: no cell of a table begins as a formula does; a table of requests is kept neither"
    " here nor on the way; exact bytes and copies are files or plain text, for those only who may read them, and"
    " each is written down.",
)
async def taken_away(scene: Scene) -> str:
    return await among_two_teams(scene, take_away)


def take_away(place: Place) -> str:
    parts = ("raw/request/", "raw/response/", "copy/curl/", "copy/json/", "copy/markdown/")
    with place.client("blue") as client:
        address = "/d/usage/?range=30d&group=model&format=csv"
        rows = list(csv.reader(io.StringIO(client.get(address).raise_for_status().text)))
        names = {cells[0] for cells in rows[1:]}
        require("'" + FORMULA in names, f"the table has {names}")
        table = client.get("/d/requests/file/?range=30d").raise_for_status()
        rows += csv.reader(io.StringIO(table.text))
        require(any("'" + FORMULA in cells for cells in rows[-2:]), f"the table of requests has {rows[-2:]}")
        require(not any(cell[:1] in "=+-@\t\r" for cells in rows for cell in cells if cell), f"a formula: {rows}")
        require(table.headers["cache-control"] == "no-store", "a table of requests may be kept on the way")
    with place.client("red") as client:
        for part in parts:
            answer = client.get(f"/d/r/{place.request_id}/{part}")
            kind = answer.headers["content-type"].partition(";")[0]
            require(answer.status_code == 200 and kind == "text/plain", f"{part} is a {answer.status_code}, {kind}")
            require(answer.headers["x-content-type-options"] == "nosniff", f"{part} may be sniffed")
            is_file = "attachment" in answer.headers.get("content-disposition", "")
            require(is_file or not part.startswith("raw"), f"{part} is no file")
    for who in ("blue", "ops", "staff", ""):
        with place.client(who) as client:
            for part in parts:
                status = client.get(f"/d/r/{place.request_id}/{part}").status_code
                require(status in (302, 403, 404), f"{part} is a {status} for {who or 'nobody'}")
    noted = [event for event in audited(place) if event[0] == "exported"]
    by = ["blue"] * 2 + ["red"] * len(parts)
    require([event[1] for event in noted] == by, f"written down is {noted}")
    return f"{len(rows)} rows without a formula, {len(parts)} forms taken by one, refused to four, each written down"


def audited(place: Place) -> list[tuple[str, str, str, str, str]]:
    """Action, who, from where, what, and details of every event, the oldest first."""
    with place.gateway.connect() as connection:
        found = connection.execute(
            "SELECT action, actor_name, address, target, details FROM dashboard_auditevent ORDER BY id"
        )
        return found.fetchall()


@row(
    "SEC-23",
    "A place in the admin alone opens nothing there: no list, form, history, action or page of our own. A lead who has"
    " one does not make themselves more.",
)
async def no_more_than_given(scene: Scene) -> str:
    return await among_two_teams(scene, try_the_admin)


def try_the_admin(place: Place) -> str:
    tried = 0
    with place.client("staff") as client:
        for address in place.routes:
            if not address.startswith("/admin/") or OPEN_TO_STAFF.match(address):
                continue
            for method in ("GET", "POST"):
                token = {"X-CSRFToken": client.cookies.get("csrftoken", "")}
                answer = client.request(method, address, headers=token)
                # The admin leads on from `MODEL/ID/` to the form, and from what is not there to its first page.
                status = (
                    client.get(answer.headers["location"]).status_code
                    if answer.status_code == 302
                    else answer.status_code
                )
                is_start = answer.headers.get("location") == "/admin/"
                require(status in REFUSED or is_start, f"{method} {address} is a {answer.status_code}")
                tried += 1
    require(tried > 200, f"{tried} requests only")
    before = places(place)
    with place.client("red") as client:
        token = token_in(client.get("/d/").text)
        tries = {
            "/admin/gateway/member/add/": {"user": "2", "role": "admin"},
            "/admin/gateway/member/1/change/": {"user": "2", "role": "admin"},
            "/admin/auth/user/2/change/": {"username": "red", "is_superuser": "on", "is_staff": "on"},
        }
        for address, said in tries.items():
            status = client.post(address, data=said | {"csrfmiddlewaretoken": token}).status_code
            require(status in (302, 403, 404), f"{address} is a {status}")
    require(places(place) == before, f"a lead is more now: {before}, then {places(place)}")
    return f"{tried} requests of staff without a role refused; a lead is a lead"


def places(place: Place) -> list[tuple[str, bool, str | None]]:
    with place.gateway.connect() as connection:
        return connection.execute(
            "SELECT username, is_superuser, role FROM auth_user LEFT JOIN gateway_member ON user_id = auth_user.id"
            " ORDER BY username"
        ).fetchall()


@row(
    "SEC-24",
    "Signing in, failing to, reading, taking away, changing the configuration, rotating a key, putting a header rule"
    " live, holding a breaker and signing out are written down with who, from where and what changed, secrets masked;"
    " PostgreSQL itself lets no event be changed or removed.",
)
async def written_down(scene: Scene) -> str:
    return await among_two_teams(scene, do_things_and_read_the_log)


def do_things_and_read_the_log(place: Place) -> str:
    do_things(place)
    return read_the_log(place)


def do_things(place: Place) -> None:
    with place.client() as client:
        for password in ("wrong", "a long password"):
            said = {
                "login": "visitor",
                "password": password,
                "csrfmiddlewaretoken": token_in(client.get("/accounts/login/").text),
            }
            client.post("/accounts/login/", data=said)
        client.get(f"/d/r/{place.request_id}/").raise_for_status()
        client.get(f"/d/r/{place.request_id}/raw/request/").raise_for_status()
        page = client.get("/admin/gateway/team/add/").raise_for_status().text
        added = client.post("/admin/gateway/team/add/", data={**fields(page), "name": "green"})
        require(added.status_code == 302, f"adding a team is a {added.status_code}")
        change_what_counts(place, client)
        client.post("/accounts/logout/", data={"csrfmiddlewaretoken": token_in(client.get("/d/").text)})


def change_what_counts(place: Place, client: httpx.Client) -> None:
    """A key is rotated, a header rule tried and put live, a breaker held."""

    def send(address: str, **said: str) -> None:
        page = client.get(address).raise_for_status().text
        status = client.post(address, data=fields(page) | said).status_code
        require(status == 302, f"{said} at {address} is a {status}")

    key = id_of(place, "gateway_apikey", "other")
    send("/admin/gateway/apikey/", action="rotate", _selected_action=key)
    rule = {"direction": "request", "position": "100", "header": "x-tag", "action": "set", "value": "seen"}
    rule |= {
        "name": "tag",
        "enabled": "on",
        **dict.fromkeys(("find", "note", "providers", "teams", "keys", "models"), ""),
    }
    send("/admin/gateway/headerrule/add/", **rule)
    address = f"/admin/gateway/headerrule/{id_of(place, 'gateway_headerrule', 'tag')}/dry-run/"
    send(address, do="dry-run", last="100")
    send(address, do="live")
    provider = id_of(place, "gateway_provider", "mirror")
    send("/admin/gateway/breakerhold/add/", provider=provider, model="", state="open", reason=INCIDENT)


def id_of(place: Place, table: str, name: str) -> str:
    with place.gateway.connect() as connection:
        statement = sql.SQL("SELECT id FROM {} WHERE name = %s").format(sql.Identifier(table))
        found = connection.execute(statement, [name]).fetchone()
    require(found, f"{table} holds no {name}")
    assert found is not None
    return str(found[0])


def fields(page: str) -> dict[str, str]:
    """What a form of the admin sends back as it is."""
    inputs = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*?(?:value="([^"]*)")?[^>]*>', page)
    return dict(inputs) | {"csrfmiddlewaretoken": token_in(page)}


def read_the_log(place: Place) -> str:
    log = [event for event in audited(place) if event[1] == "visitor" or event[0] == "sign-in failed"]
    actions = [event[0] for event in log]
    # A change in the admin stands there as its form says it, and as the version of the configuration that it made.
    done = ["sign-in failed", "signed in", "read", "exported", *["changed"] * (2 + 1 + 2 + 1 + 1), "signed out"]
    require(actions == done, f"it says {actions}")
    require({event[2] for event in log} == {"127.0.0.1"}, f"from where: {log}")
    require(log[4][3] == "team green" and "+- name: green" in log[5][4], f"what changed: {log[4:6]}")
    rotated, live, held = log[6][4], log[9][4], log[10][3]
    require("previous_digest" in rotated, f"a rotated key is told as {rotated}")
    require("state: live" in live, f"a rule put live is told as {live}")
    require(INCIDENT in held, f"a held breaker is told as {held}")
    secrets = [secret for secret in (*KEYS.values(), "a long password") if secret in json.dumps(audited(place))]
    require(not secrets, f"the log holds {secrets}")
    for statement in (
        "UPDATE dashboard_auditevent SET actor_name = 'x'",
        "DELETE FROM dashboard_auditevent",
        "TRUNCATE dashboard_auditevent",
    ):
        with place.gateway.connect() as connection:
            try:
                connection.execute(statement)  # type: ignore[call-overload]
            except psycopg.DatabaseError:
                continue
        require(False, f"PostgreSQL did it: {statement}")
    return f"{len(log)} events in order, none to be changed or removed"
