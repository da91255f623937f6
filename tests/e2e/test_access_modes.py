"""Open and keyed mode over the wire: which credential the provider sees, and who is turned away."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.e2e.conftest import ADA_KEY, ANTHROPIC_KEY, GRACE_KEY, OPENAI_KEY
from tests.e2e.processes import ROOT, WebProcess, last_request
from tests.e2e.spooled import find
from tests.e2e.wire import Pairs, ask
from tests.upstream import FakeProvider

BODY = b'{"model":"m","messages":[]}'
SECRET_HEADERS = {b"authorization", b"x-api-key", b"x-turnlog-key"}


def credentials_seen(provider: FakeProvider) -> Pairs:
    return [(name, value) for name, value in last_request(provider).headers if name.lower() in SECRET_HEADERS]


def pairs(**values: str) -> Pairs:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items()]


ANTHROPIC_OWN = [(b"x-api-key", ANTHROPIC_KEY.encode())]
OPENAI_OWN = [(b"authorization", b"Bearer " + OPENAI_KEY.encode())]
KEYED = {
    "bearer": ("/v1/messages", pairs(authorization=f"Bearer {ADA_KEY}"), ANTHROPIC_OWN),
    "x-api-key": ("/v1/messages", pairs(x_api_key=ADA_KEY), ANTHROPIC_OWN),
    "both headers": ("/v1/messages", pairs(authorization=f"Bearer {ADA_KEY}", x_api_key=ADA_KEY), ANTHROPIC_OWN),
    "a plain key": ("/v1/messages/count_tokens", pairs(x_api_key=GRACE_KEY), ANTHROPIC_OWN),
    "bearer on chat": ("/v1/chat/completions", pairs(authorization=f"Bearer {ADA_KEY}"), OPENAI_OWN),
    "x-api-key on responses": ("/v1/responses", pairs(x_api_key=ADA_KEY), OPENAI_OWN),
    "x-turnlog-key alone": ("/v1/embeddings", pairs(x_turnlog_key=ADA_KEY), OPENAI_OWN),
    "x-turnlog-key beside an own credential": (
        "/v1/messages",
        pairs(x_turnlog_key=ADA_KEY, authorization="Bearer sk-ant-oat01-mine"),
        [(b"authorization", b"Bearer sk-ant-oat01-mine")],
    ),
}


@pytest.mark.parametrize(("path", "sent", "seen"), KEYED.values(), ids=KEYED)
def test_keyed_mode_puts_the_providers_credential_in_place(
    keyed_web: WebProcess, provider: FakeProvider, path: str, sent: Pairs, seen: Pairs
) -> None:
    sent = [(b"x-before", b"1"), *sent, (b"x-after", b"2")]
    assert ask(keyed_web, "POST", path, sent, BODY).status == 200
    assert credentials_seen(provider) == seen
    names = [name for name, _ in last_request(provider).headers]
    assert names.index(b"x-before") < names.index(seen[0][0]) < names.index(b"x-after")


DENIED = {
    "nothing": [],
    "a provider's key": pairs(x_api_key="sk-ant-api03-own"),
    "an unknown key": pairs(authorization="Bearer tl_unknown"),
    "an empty key": pairs(x_api_key=""),
    "a key too long by one": pairs(x_api_key=ADA_KEY + "x"),
    "a NUL-like escape": pairs(x_api_key="%00"),
    "bytes that are not ASCII": pairs(authorization="Bearer \xff\xfe"),
    "quotes and SQL": pairs(x_api_key="' OR 1=1 --"),
    "sixty thousand bytes": pairs(x_api_key="k" * 60_000),
}
PATHS = ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/models", "/v1/files/f"]


@pytest.mark.parametrize("sent", DENIED.values(), ids=DENIED)
@pytest.mark.parametrize("path", PATHS)
def test_keyed_mode_turns_everyone_else_away(
    keyed_web: WebProcess, provider: FakeProvider, path: str, sent: Pairs
) -> None:
    method = "GET" if path == "/v1/models" else "POST"
    answer = ask(keyed_web, method, path, sent, BODY)
    assert answer.status == 401
    assert answer.header(b"x-should-retry") == b"false"
    error = json.loads(answer.body)["error"]
    assert "Turnlog key" in error["message"]
    assert error["type"] == "authentication_error" or error["code"] == "invalid_api_key"
    assert not provider.requests


def test_a_header_of_a_hundred_thousand_bytes_is_refused_as_such(keyed_web: WebProcess, provider: FakeProvider) -> None:
    assert ask(keyed_web, "POST", "/v1/messages", pairs(x_api_key="k" * 100_000), BODY).status == 431
    assert not provider.requests


def test_a_denied_request_is_recorded_without_its_body(keyed_web: WebProcess, provider: FakeProvider) -> None:
    answer = ask(keyed_web, "POST", "/v1/messages?denied=1", pairs(x_api_key="wrong-key-of-mallory"), BODY)
    exchange = find(keyed_web, "denied=1")
    assert exchange.end.outcome == "denied"
    assert not exchange.body
    assert exchange.response == answer.body
    assert answer.header(b"request-id") is not None
    assert b"mallory" not in b"".join(value for _, value in exchange.admission.headers)


def test_the_record_names_the_caller(keyed_web: WebProcess, provider: FakeProvider) -> None:
    ask(keyed_web, "POST", "/v1/messages?caller=grace", pairs(x_api_key=GRACE_KEY), BODY)
    assert find(keyed_web, "caller=grace").admission.access_key == "grace"


OPEN = {
    "an API key": ("/v1/messages", pairs(x_api_key="sk-ant-mine")),
    "a subscription's token": ("/v1/messages", pairs(authorization="Bearer sk-ant-oat01-mine")),
    "both": ("/v1/messages", pairs(authorization="Bearer t", x_api_key="k")),
    "any token at all": ("/v1/messages", pairs(authorization="Bearer anything")),
    "none": ("/v1/messages", []),
    "an OpenAI key": ("/v1/responses", pairs(authorization="Bearer sk-proj-mine")),
}


@pytest.mark.parametrize(("path", "sent"), OPEN.values(), ids=OPEN)
def test_open_mode_passes_the_callers_credential_on(
    web: WebProcess, provider: FakeProvider, path: str, sent: Pairs
) -> None:
    ask(web, "POST", path, [*sent, (b"x-turnlog-key", b"tl_ours")], BODY)
    assert credentials_seen(provider) == sent


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/images/generations"])
@pytest.mark.parametrize("sent", [pairs(authorization="Bearer sk-ant-oat01-x"), pairs(x_api_key="sk-ant-api03-x")])
def test_anthropics_credential_never_reaches_openai(
    web: WebProcess, provider: FakeProvider, path: str, sent: Pairs
) -> None:
    answer = ask(web, "POST", path, sent, BODY)
    assert answer.status == 401
    assert b"sk-ant-" in answer.body
    assert not provider.requests


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "TURNLOG_ALLOW_OPEN"),
        ({"TURNLOG_ACCESS_KEYS_FILE": "/does/not/exist"}, "TURNLOG_ACCESS_KEYS_FILE cannot be read"),
    ],
    ids=["open mode for all to reach", "a keys file that is not there"],
)
def test_a_dangerous_start_is_refused(
    web: WebProcess, environment: dict[str, str], words: str, tmp_path: object
) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "web", "--host", "0.0.0.0", "--port", "0"],
        cwd=ROOT,
        env=web.environment | {"TURNLOG_DATA_DIR": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode in (1, 2)
    assert words in result.stderr


def test_a_key_added_to_the_file_opens_within_two_seconds(keyed_web: WebProcess, provider: FakeProvider) -> None:
    from tests.e2e.processes import until

    keys = keyed_web.environment["TURNLOG_ACCESS_KEYS_FILE"]
    with open(keys) as file:
        before = file.read()
    with open(keys, "a") as file:
        file.write("linus=key-of-linus-012345\n")
    sent = pairs(x_api_key="key-of-linus-012345")
    until(lambda: ask(keyed_web, "POST", "/v1/messages", sent, BODY).status == 200, 2)
    with open(keys, "w") as file:
        file.write(before)
    until(lambda: ask(keyed_web, "POST", "/v1/messages", sent, BODY).status == 401, 2)
