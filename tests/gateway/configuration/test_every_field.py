"""A file that says something of every field, through the tables and the disk copy to the snapshot, and back."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.management import call_command

from gateway.configuration import columns
from gateway.configuration.applying import apply_document
from gateway.configuration.building import build_snapshot
from gateway.configuration.document import read_document
from gateway.configuration.document_reader import WrongDocument
from gateway.configuration.exporting import export_document
from gateway.configuration.sealing import access_key_pepper, unseal
from gateway.configuration.tables import read_copy, read_tables, write_copy
from gateway.dialects.names import Dialect
from gateway.models import (
    AlertChannel,
    AlertRule,
    ApiKey,
    GatewaySettings,
    GradingSettings,
    ModelRoute,
    OutboundProxy,
    Provider,
    Rubric,
    Team,
)
from gateway.policy.breaker import BreakerMode
from gateway.policy.keys import digest_key
from gateway.policy.retries import Backoff
from gateway.policy.snapshot import TargetEntry
from gateway.policy.strategies import Scenario, Strategy
from gateway.policy.waiting import WhenFull

pytestmark = pytest.mark.django_db

ENVIRON = {
    "MIRROR_KEY": "mirror-secret-0123456789",
    "PROXY_PASSWORD": "proxy-secret",
    "CI_KEY": "key-of-ci-0123456789",
    "CI_SIGNING": "signing-secret-0123456789",
    "SLACK_ADDRESS": "https://hooks.example.com/services/T0/B0/the-key-of-the-hook",
    "HOOK_SECRET": "whsec-of-the-hook-0123456789",
}
DOCUMENT = """
settings:
  allow_addresses: [10.0.0.0/8, "::1", 127.0.0.1]
  deny_addresses: [10.9.0.0/16]
  region_fallbacks: {eu: [us]}
  validate_requests: true
  max_messages: 500
  max_content_bytes: 1000000
  max_system_bytes: 2000
  max_output_tokens: 64000
  max_top_logprobs: 5
  cache_max_bytes: 1000000
  default_input_price: 1.5
  default_output_price: 7.5
  remote_url: https://config.example/turnlog.yaml
  remote_interval: 300
  public_url: https://turnlog.example.com
proxies:
  - {name: office, address: "https://proxy.example:3129", username: ada, password_env: PROXY_PASSWORD,
     bypass: [.internal], ca_file: /etc/proxy-ca.pem, position: 5, enabled: true}
providers:
  - name: mirror
    dialect: anthropic
    address: https://mirror.example
    credentials: [{name: main, secret_env: MIRROR_KEY, per_minute: 40}]
    proxies: [office]
    proxy_choice: in_turn
    profile: vllm
    keyless: true
    region: eu
    extra_headers: {X-Team: search}
    slow_seconds: 20
    connect_timeout: 3
    header_timeout: 120
    idle_timeout: 90.5
    pool_size: 50
    pool_idle_seconds: 30
    pool_life_seconds: 600
    tls_minimum: "1.3"
    ca_file: /etc/ca.pem
    client_certificate_file: /etc/client.pem
    client_key_file: /etc/client.key
    http2: true
    health_path: /v1/models
    health_interval: 10
    health_timeout: 2
    health_failures: 2
    breaker_mode: enforce
    breaker_failures: 3
    breaker_open_seconds: 10
    breaker_successes: 1
    breaker_error_percent: 25
    breaker_window: 30
    breaker_volume: 10
    retry_attempts: 3
    retry_on: [connect, "503"]
    retry_deadline: 20
    retry_backoff: fibonacci
    retry_base: 0.1
    retry_longest: 2
    retry_budget_percent: 20
    max_in_flight: 8
    queue_size: 16
    queue_longest_wait: 5
    queue_when_full: spill
    queue_long_bytes: 200000
routes:
  - name: thinking
    match: claude-*
    provider: mirror
    model: claude-opus-4-5
    position: 3
    weight: 2
    strategy: weighted
    fallback_on: ["529", connect]
    scenario: think
    min_tokens: 30000
    dialects: [anthropic]
    keys: [ci]
    teams: [search]
    headers: {X-Project: "web-*"}
    min_bytes: 10
    max_bytes: 1000000
    targets:
      - {provider: anthropic, model: claude-sonnet-4-5, weight: 3}
      - {provider: mirror}
teams:
  - {name: search, region: us}
members:
  - {user: ada, team: search, role: lead}
api_keys:
  - name: ci
    team: search
    owner: ada
    key_env: CI_KEY
    signing_secret_env: CI_SIGNING
    allowed_dialects: [anthropic, chat]
    allowed_models: ["claude-*"]
    allowed_providers: [anthropic, mirror]
    allow_addresses: [192.0.2.0/24]
    deny_addresses: [192.0.2.7]
    priority: 5
    region: eu
    previous_until: 2031-01-01
    debug_until: 2031-01-01T12:00:00Z
    expires_at: 2032-01-01
alert_channels:
  - name: ops
    way: slack
    address_env: SLACK_ADDRESS
    secret_env: HOOK_SECRET
    minimum_severity: warning
    kinds: [alert, budget]
    teams: [search]
    enabled: false
    note: told at night
    smtp_host: mail.example.com
    smtp_port: 465
    smtp_security: tls
    smtp_user: turnlog
    sender: turnlog@example.com
    recipients: [ops@example.com]
alert_rules:
  - name: slow-opus
    metric: first_byte_p95
    operator: ">="
    threshold: 8000
    window: 600
    minimum: 50
    per: model
    providers: [anthropic]
    models: [claude-opus-*]
    teams: [search]
    severity: critical
    cooldown: 3600
    channels: [ops]
    enabled: false
    note: Ask the provider.
grading:
  judge_model: claude-judge-1
  gateway_url: http://127.0.0.1:9000
  timeout_seconds: 60
  sample_percent: 2.5
  sample_teams: [search]
  daily_limit: 50
  rubric: "clarity: is it plain?"
"""


@pytest.fixture(autouse=True)
def ada() -> None:
    User.objects.create_user("ada")


def apply(text: str, **options: bool) -> list[str]:
    return apply_document(read_document(text), ENVIRON, **options).changes


def test_every_column_that_can_be_set_stands_in_the_document() -> None:
    said = yaml.safe_load(DOCUMENT)
    for model, names, found in (
        (Provider, columns.PROVIDER, said["providers"][0]),
        (OutboundProxy, columns.PROXY, said["proxies"][0]),
        (ModelRoute, columns.ROUTE, said["routes"][0]),
        (Team, columns.TEAM, said["teams"][0]),
        (ApiKey, columns.API_KEY, said["api_keys"][0]),
        (GatewaySettings, columns.SETTINGS, said["settings"]),
        (AlertChannel, columns.ALERT_CHANNEL, said["alert_channels"][0]),
        (AlertRule, columns.ALERT_RULE, said["alert_rules"][0]),
        (GradingSettings, columns.GRADING, said["grading"]),
    ):
        assert set(names) - set(found) == set(), model


def test_every_field_reaches_the_snapshot() -> None:
    apply(DOCUMENT)
    snapshot = build_snapshot({})
    mirror = snapshot.providers["mirror"]
    assert (mirror.keyless, mirror.region, mirror.slow_seconds) == (True, "eu", 20)
    assert mirror.extra_headers == ((b"x-team", b"search"),)
    (credential,) = mirror.credentials
    assert (credential.secret, credential.per_minute) == (ENVIRON["MIRROR_KEY"], 40)
    transport = mirror.transport
    assert transport is not None
    assert (transport.connect_timeout, transport.header_timeout, transport.idle_timeout) == (3, 120, 90.5)
    assert (transport.pool_size, transport.pool_idle_seconds, transport.pool_life_seconds) == (50, 30, 600)
    assert (transport.tls_minimum, transport.ca_file, transport.http2) == ("1.3", "/etc/ca.pem", True)
    (proxy,) = transport.proxies
    assert (proxy.password, proxy.bypass, proxy.ca_file) == ("proxy-secret", (".internal",), "/etc/proxy-ca.pem")
    breaker = mirror.breaker
    assert (breaker.mode, breaker.failures, breaker.error_share, breaker.volume) == (BreakerMode.ENFORCE, 3, 0.25, 10)
    assert mirror.retry is not None
    assert (mirror.retry.attempts, mirror.retry.backoff, mirror.retry.budget) == (3, Backoff.FIBONACCI, 0.2)
    assert mirror.queue is not None
    assert (mirror.queue.places, mirror.queue.when_full) == (8, WhenFull.SPILL)
    assert mirror.health is not None
    assert (mirror.health.path, mirror.health.failures) == ("/v1/models", 2)
    (route,) = snapshot.conditional_routes
    assert (route.name, route.strategy, route.fallback_on) == ("thinking", Strategy.WEIGHTED, {"529", "connect"})
    assert route.all_targets == (
        TargetEntry("mirror", "claude-opus-4-5", 2),
        TargetEntry("anthropic", "claude-sonnet-4-5", 3),
        TargetEntry("mirror", "", 1),
    )
    assert route.conditions is not None
    assert route.conditions.headers == ((b"x-project", "web-*"),)
    assert snapshot.scenarios == {Scenario.THINK}
    caller = snapshot.callers[digest_key(access_key_pepper(), ENVIRON["CI_KEY"].encode())]
    assert (caller.dialects, caller.models, caller.priority) == ({Dialect.ANTHROPIC, Dialect.CHAT}, ("claude-*",), 5)
    assert (caller.signing_secret, caller.region) == (ENVIRON["CI_SIGNING"].encode(), "eu")
    assert not caller.networks.admit("192.0.2.7")
    assert not caller.networks.admit("198.51.100.1")
    assert caller.networks.admit("192.0.2.8")
    assert snapshot.networks.admit("10.1.2.3")
    assert not snapshot.networks.admit("10.9.2.3")
    assert snapshot.validation is not None
    assert snapshot.validation.max_messages == 500
    assert snapshot.region_fallbacks == {"eu": ("us",)}


def test_applying_twice_changes_nothing() -> None:
    apply(DOCUMENT)
    assert apply(DOCUMENT) == []


def test_an_export_says_it_all_without_a_secret_and_changes_nothing() -> None:
    apply(DOCUMENT)
    exported = export_document()
    assert not [secret for secret in ENVIRON.values() if secret in exported]
    assert apply(exported, prune=True) == []


def test_a_sealed_export_makes_everything_again() -> None:
    apply(DOCUMENT)
    exported = export_document(sealed=True)
    before = build_snapshot({})
    assert not [secret for secret in ENVIRON.values() if secret in exported]
    apply(
        "providers: []\nproxies: []\nroutes: []\napi_keys: []\nteams: []\nmembers: []\nalert_rules: []\n"
        "alert_channels: []\ngrading: {}",
        prune=True,
    )
    assert not AlertChannel.objects.exists()
    assert not build_snapshot({}).callers
    apply(exported, prune=True)
    after = build_snapshot({})
    assert (after.providers["mirror"], after.callers) == (before.providers["mirror"], before.callers)
    assert after.conditional_routes == before.conditional_routes
    channel = AlertChannel.objects.get()
    assert unseal(bytes(channel.address_ciphertext)) == ENVIRON["SLACK_ADDRESS"]
    assert unseal(bytes(channel.secret_ciphertext)) == ENVIRON["HOOK_SECRET"]
    assert AlertRule.objects.get(name="slow-opus").models == ["claude-opus-*"]
    assert GradingSettings.objects.get().judge_model == "claude-judge-1"


def test_the_disk_copy_gives_the_same_snapshot_and_holds_no_secret(tmp_path: Path) -> None:
    apply(DOCUMENT)
    path = tmp_path / "copy"
    tables = read_tables()
    write_copy(path, tables)
    copied = read_copy(path)
    assert copied is not None
    assert build_snapshot({}, copied) == build_snapshot({}, tables)
    assert not [secret for secret in ENVIRON.values() if secret.encode() in path.read_bytes()]
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes()[:100])
    assert read_copy(path) is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("settings: {allow_addresses: [10.0.0.0/33]}", "10.0.0.0/33 is no network"),
        ("routes: [{match: a, provider: anthropic, dialects: [gemini]}]", "gemini: each is one of"),
        ("routes: [{match: a, provider: anthropic, fallback_on: [never]}]", "never: each is a status"),
        ("routes: [{match: a, provider: anthropic, strategy: luck}]", "luck"),
        ("routes: [{match: a, provider: anthropic, weight: many}]", "weight: needs a whole number"),
        ("providers: [{name: anthropic, dialect: anthropic, extra_headers: {Host: a}}]", "framing"),
        ("providers: [{name: anthropic, dialect: anthropic, extra_headers: [a]}]", "needs a table of names and values"),
        ("providers: [{name: anthropic, dialect: anthropic, keyless: sometimes}]", "keyless: needs true or false"),
        ("providers: [{name: anthropic, dialect: anthropic, breaker_error_percent: 101}]", "less than or equal to 100"),
        ("providers: [{name: anthropic, dialect: anthropic, retry_on: connect}]", "retry_on: needs a list"),
        ("proxies: [{name: a, address: 'ftp://proxy:1'}]", "http://host:3128, https://host:3129 or socks5://host:1080"),
        ("proxies: [{name: a}]", "this proxy needs 'address'"),
        ("alert_rules: [{name: a, metric: luck, threshold: 1}]", "luck"),
        ("alert_rules: [{name: a, metric: error_rate}]", "this alert rule needs 'threshold'"),
        ("alert_channels: [{name: a, way: slack, address: a, address_env: A}]", "only one of address and address_env"),
        ("grading: {sample_percent: 101}", "less than or equal to 100"),
        ("members: [{user: ada, role: king}]", "role: needs one of member, lead, ops, admin"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_line(document: str, words: str) -> None:
    with pytest.raises(WrongDocument) as caught:
        read_document(document)
    assert "line 1" in str(caught.value)
    assert words in str(caught.value)


def test_routes_may_share_a_match_when_their_names_differ() -> None:
    apply(
        "routes:\n- {match: claude-*, provider: anthropic}\n"
        "- {name: big, match: claude-*, provider: anthropic, min_bytes: 5}"
    )
    assert sorted(ModelRoute.objects.values_list("name", flat=True)) == ["big", "claude-*"]
    output = io.StringIO()
    call_command("config", "export", stdout=output)
    assert "name: big" in output.getvalue()


def test_the_cheapest_target_is_known_by_the_price_table() -> None:
    apply(
        "routes: [{match: fast, provider: anthropic, model: claude-opus-4-5, strategy: cheapest, "
        "targets: [{provider: anthropic, model: claude-haiku-4-5}, {provider: anthropic, model: nobody-knows}]}]"
    )
    route = build_snapshot({}).exact_routes["fast"]
    dear, cheap, unknown = (target.price for target in route.all_targets)
    assert dear is not None
    assert cheap is not None
    assert dear > cheap > 0
    assert unknown is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("alert_channels: [{name: a, way: webhook}]", "the channel a is new: it needs address or address_env"),
        ("alert_channels: [{name: a, way: webhook, address: 'ftp://x'}]", "An address is needed"),
        ("alert_channels: [{name: a, way: mail}]", "Mail needs an SMTP host"),
        ("alert_rules: [{name: a, metric: breaker_open, threshold: 1, teams: [x]}]", "is not told apart by team"),
        ("alert_rules: [{name: a, metric: spool_age, threshold: 1, per: team}]", "leave this empty"),
        ("alert_rules: [{name: a, metric: error_rate, threshold: 1, window: 0}]", "needs a window"),
    ],
)
def test_what_no_channel_and_rule_can_be_is_refused(document: str, words: str) -> None:
    with pytest.raises(WrongDocument, match=re.escape(words)):
        apply(document)
    assert not AlertChannel.objects.exists()


def test_the_rubric_that_comes_with_turnlog_is_not_exported_and_another_is_a_version() -> None:
    Rubric.objects.create(instructions="ours", author_name="turnlog")
    assert "rubric" not in export_document()
    apply("grading: {rubric: theirs}")
    apply("grading: {rubric: theirs}")
    assert [rubric.instructions for rubric in Rubric.objects.all()] == ["theirs", "ours"]
    assert "rubric: theirs" in export_document()
