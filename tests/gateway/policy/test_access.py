"""Who may call and what the provider sees: tables of credentials."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect, ProviderDialect
from gateway.policy.access import (
    Admitted,
    Denied,
    Keep,
    Replace,
    admit,
    check_model,
    provider_header,
    read_credentials,
    treat_credentials,
)
from gateway.policy.keys import digest_key, generate_key, is_well_formed, key_hint
from gateway.policy.networks import read_networks
from gateway.policy.snapshot import Caller, ProviderEntry, Snapshot

PEPPER = b"pepper"
NOW = 1_800_000_000.0
ADA = "tl_key-of-ada"
OLD = "tl_key-of-old"

ANTHROPIC = ProviderEntry("anthropic", ProviderDialect.ANTHROPIC, "https://api.anthropic.com", "sk-ant-api03-pool")
OPENAI = ProviderEntry("openai", ProviderDialect.OPENAI, "https://api.openai.com", "sk-pool")
MIRROR = ProviderEntry("mirror", ProviderDialect.ANTHROPIC, "https://mirror.example", "mirror-key")
LOCAL = ProviderEntry("local", ProviderDialect.OPENAI, "http://127.0.0.1:11434", keyless=True)
BARE = ProviderEntry("bare", ProviderDialect.ANTHROPIC, "https://bare.example")
OPEN = Snapshot(1, False, {entry.name: entry for entry in (ANTHROPIC, OPENAI, MIRROR, LOCAL, BARE)})
KEYED = replace(
    OPEN,
    keyed=True,
    callers={
        digest_key(PEPPER, ADA.encode()): Caller("ada", "search"),
        digest_key(PEPPER, OLD.encode()): Caller("old", expires_at=NOW - 1),
        digest_key(PEPPER, b"withdrawn-key"): Caller("withdrawn", revoked=True),
        digest_key(PEPPER, b"office-key"): Caller("office", networks=read_networks(["10.0.0.0/8"], ["10.9.0.0/16"])),
        digest_key(PEPPER, b"chat-key"): Caller("chatty", dialects=frozenset({Dialect.CHAT})),
    },
)


def headers(**pairs: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in pairs.items()]


ADMITTED = {
    "as a bearer token": headers(authorization=f"Bearer {ADA}"),
    "with the scheme in small letters": headers(authorization=f"bearer   {ADA}"),
    "as x-api-key": headers(x_api_key=ADA),
    "in both credential headers": headers(authorization=f"Bearer {ADA}", x_api_key=ADA),
    "beside something else in the other header": headers(authorization="Bearer sk-ant-oat01-x", x_api_key=ADA),
    "as x-turnlog-key alone": headers(x_turnlog_key=ADA),
}


@pytest.mark.parametrize("pairs", ADMITTED.values(), ids=ADMITTED)
def test_key_opens_the_gateway(pairs: list[tuple[bytes, bytes]]) -> None:
    admitted = admit(KEYED, read_credentials(pairs), PEPPER, NOW)
    assert admitted == Admitted(Caller("ada", "search"), own_passes=False)


DENIED = {
    "no credential at all": ([], "needs a Turnlog key"),
    "an empty bearer token": (headers(authorization="Bearer "), "needs a Turnlog key"),
    "a provider's key": (headers(x_api_key="sk-ant-api03-own"), "not a Turnlog key"),
    "the key with basic authentication": (headers(authorization=f"Basic {ADA}"), "not a Turnlog key"),
    "the key and a letter more": (headers(x_api_key=ADA + "x"), "not copied whole"),
    "a wrong x-turnlog-key beside a right key": (headers(x_turnlog_key="tl_wrong", x_api_key=ADA), "not copied whole"),
    "bytes that are not ASCII": (headers(authorization="Bearer \xff\xfe\xe9"), "not a Turnlog key"),
    "a NUL": (headers(x_api_key="\0"), "not a Turnlog key"),
    "a hundred thousand bytes": (headers(x_api_key="k" * 100_000), "not a Turnlog key"),
    "a digest of the key": (headers(x_api_key=digest_key(PEPPER, ADA.encode()).hex()), "not a Turnlog key"),
}


@pytest.mark.parametrize(("pairs", "words"), DENIED.values(), ids=DENIED)
def test_anything_else_is_denied_with_the_reason(pairs: list[tuple[bytes, bytes]], words: str) -> None:
    denied = admit(KEYED, read_credentials(pairs), PEPPER, NOW)
    assert isinstance(denied, Denied)
    assert words in denied.message
    assert denied.kind is ErrorKind.AUTHENTICATION


FORBIDDEN = {
    "an expired key": (OLD, "10.0.0.1", "expired"),
    "a revoked key": ("withdrawn-key", "10.0.0.1", "revoked"),
    "an address outside the key's networks": ("office-key", "192.0.2.1", "may not be used from 192.0.2.1"),
    "an address the key denies": ("office-key", "10.9.1.1", "may not be used from"),
    "no address where one is asked": ("office-key", "", "may not be used from here"),
    "an API the key may not speak": ("chat-key", "10.0.0.1", "may not speak anthropic; it may speak chat"),
}


@pytest.mark.parametrize(("key", "address", "words"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_known_key_that_may_not_is_forbidden(key: str, address: str, words: str) -> None:
    denied = admit(KEYED, read_credentials(headers(x_api_key=key)), PEPPER, NOW, address, Dialect.ANTHROPIC)
    assert isinstance(denied, Denied)
    assert words in denied.message
    assert denied.kind is ErrorKind.PERMISSION


def test_an_address_within_the_keys_networks_opens() -> None:
    for address in ("10.1.2.3", "::ffff:10.1.2.3"):
        assert isinstance(
            admit(KEYED, read_credentials(headers(x_api_key="office-key")), PEPPER, NOW, address), Admitted
        )


@pytest.mark.parametrize("snapshot", [OPEN, KEYED], ids=["open", "keyed"])
def test_the_gateways_own_list_of_addresses_comes_first(snapshot: Snapshot) -> None:
    closed = replace(snapshot, networks=read_networks([], ["192.0.2.0/24"]))
    denied = admit(closed, read_credentials(headers(x_api_key=ADA)), PEPPER, NOW, "192.0.2.9")
    assert isinstance(denied, Denied)
    assert denied.kind is ErrorKind.PERMISSION
    assert isinstance(admit(closed, read_credentials(headers(x_api_key=ADA)), PEPPER, NOW, "192.0.3.9"), Admitted)


def test_a_key_asks_only_for_its_models() -> None:
    caller = Caller("ci", models=("claude-haiku-*", "gpt-5"))
    assert check_model(caller, "claude-haiku-4-5") is None
    assert check_model(caller, "gpt-5") is None
    assert check_model(caller, None) is None
    assert check_model(None, "anything") is None
    denied = check_model(caller, "claude-opus-4-5")
    assert denied is not None
    assert denied.kind is ErrorKind.PERMISSION


@given(st.binary(max_size=200))
def test_no_bytes_open_a_keyed_gateway_or_raise(value: bytes) -> None:
    for name in (b"authorization", b"x-api-key", b"x-turnlog-key"):
        assert isinstance(admit(KEYED, read_credentials([(name, value)]), PEPPER, NOW), Denied)


BOTH = headers(x_turnlog_key=ADA, authorization="Bearer sk-ant-oat01-mine")
TREATED = {
    "open: the caller's credential reaches Anthropic": (OPEN, headers(x_api_key="sk-ant-1"), ANTHROPIC, Keep.AS_SENT),
    "open: the caller's credential reaches OpenAI": (OPEN, headers(authorization="Bearer sk-1"), OPENAI, Keep.AS_SENT),
    "open: nothing is put where nothing was sent": (OPEN, [], ANTHROPIC, Keep.AS_SENT),
    "open: a keyless engine gets none": (OPEN, headers(authorization="Bearer sk-1"), LOCAL, Replace(None)),
    "keyed: the provider's own replaces the key": (
        KEYED,
        headers(x_api_key=ADA),
        ANTHROPIC,
        Replace((b"x-api-key", b"sk-ant-api03-pool")),
    ),
    "keyed: OpenAI's goes out as bearer": (
        KEYED,
        headers(x_api_key=ADA),
        OPENAI,
        Replace((b"authorization", b"Bearer sk-pool")),
    ),
    "keyed: a keyless engine gets none": (KEYED, headers(x_api_key=ADA), LOCAL, Replace(None)),
    "keyed beside: the caller's own passes to the default provider": (KEYED, BOTH, ANTHROPIC, Keep.AS_SENT),
    "keyed beside: another provider gets its own": (KEYED, BOTH, MIRROR, Replace((b"x-api-key", b"mirror-key"))),
    "keyed beside: without an own credential the pool's is used": (
        KEYED,
        headers(x_turnlog_key=ADA),
        ANTHROPIC,
        Replace((b"x-api-key", b"sk-ant-api03-pool")),
    ),
    "keyed beside: our key repeated does not leave the gateway": (
        KEYED,
        headers(x_turnlog_key=ADA, authorization=f"Bearer {ADA}"),
        ANTHROPIC,
        Replace((b"x-api-key", b"sk-ant-api03-pool")),
    ),
}


@pytest.mark.parametrize(("snapshot", "pairs", "provider", "expected"), TREATED.values(), ids=TREATED)
def test_credential_the_provider_sees(
    snapshot: Snapshot, pairs: list[tuple[bytes, bytes]], provider: ProviderEntry, expected: object
) -> None:
    presented = read_credentials(pairs)
    admitted = admit(snapshot, presented, PEPPER, NOW)
    assert isinstance(admitted, Admitted)
    assert treat_credentials(snapshot, admitted, presented, provider) == expected


@pytest.mark.parametrize("pairs", [[], headers(x_api_key="sk-ant-1"), headers(authorization="Bearer sk-other")])
@pytest.mark.parametrize("provider", [MIRROR, BARE])
def test_open_mode_spends_no_credential_of_the_gateways(
    pairs: list[tuple[bytes, bytes]], provider: ProviderEntry
) -> None:
    denied = treat_credentials(OPEN, Admitted(None, own_passes=True), read_credentials(pairs), provider)
    assert isinstance(denied, Denied)
    assert denied.kind is ErrorKind.AUTHENTICATION


@pytest.mark.parametrize("pairs", [headers(x_api_key=ADA), BOTH], ids=["a key alone", "beside an own credential"])
def test_a_provider_without_a_credential_gets_none_of_the_callers(pairs: list[tuple[bytes, bytes]]) -> None:
    presented = read_credentials(pairs)
    admitted = admit(KEYED, presented, PEPPER, NOW)
    assert isinstance(admitted, Admitted)
    denied = treat_credentials(KEYED, admitted, presented, BARE)
    assert isinstance(denied, Denied)
    assert "has no credential" in denied.message


@pytest.mark.parametrize("snapshot_and_pairs", [(OPEN, headers(authorization="Bearer sk-ant-1")), (KEYED, BOTH)])
def test_anthropic_credential_never_reaches_openai(
    snapshot_and_pairs: tuple[Snapshot, list[tuple[bytes, bytes]]],
) -> None:
    snapshot, pairs = snapshot_and_pairs
    presented = read_credentials(pairs)
    admitted = admit(snapshot, presented, PEPPER, NOW)
    assert isinstance(admitted, Admitted)
    denied = treat_credentials(snapshot, admitted, presented, OPENAI)
    assert isinstance(denied, Denied)
    assert "sk-ant-" in denied.message


def test_subscription_token_goes_out_as_bearer() -> None:
    assert provider_header(replace(ANTHROPIC, credential="sk-ant-oat01-t")) == (
        b"authorization",
        b"Bearer sk-ant-oat01-t",
    )


def test_generated_keys_are_well_formed_and_differ() -> None:
    keys = {generate_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(is_well_formed(key) and len(key) == 52 for key in keys)


@pytest.mark.parametrize("place", range(3, 52))
def test_checksum_finds_a_changed_character(place: int) -> None:
    key = "tl_" + "0" * 43 + "000000"
    good = generate_key()
    other = "b" if good[place] == "a" else "a"
    assert not is_well_formed(good[:place] + other + good[place + 1 :])
    assert not is_well_formed(key)


def test_hint_shows_no_more_than_ten_characters() -> None:
    key = generate_key()
    assert key_hint(key) == f"{key[:6]}…{key[-4:]}"
    assert key_hint("short") == "…"
