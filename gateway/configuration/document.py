"""The YAML of `manage.py config`: read into values, every mistake named with its line.

providers:
  - {name: anthropic, dialect: anthropic, address: https://api.anthropic.com,
     credentials: [{name: main, secret_env: ANTHROPIC_API_KEY}]}
routes:
  - {match: claude-*, provider: anthropic, model: claude-sonnet-4-5, position: 10, demote: true, shortcuts: [quota]}
teams: [{name: search}]
api_keys:
  - {name: ci, team: search, key_env: CI_TURNLOG_KEY}
  - {name: ada, generate: true, expires_at: 2027-01-01T00:00:00Z}

docs/configuration.md explains every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from gateway.configuration import columns, document_alerts
from gateway.configuration.columns import column_fields
from gateway.configuration.document_reader import (
    Field,
    Reader,
    WrongDocument,
    digest,
    flag,
    moment,
    name,
    optional_text,
    position,
    scalar,
    team_name,
    text,
)
from gateway.configuration.environments import lay_over
from gateway.dialects.names import ProviderDialect, Shortcut
from gateway.models import (
    ApiKey,
    Budget,
    CacheRule,
    CapturePolicy,
    ContentRule,
    Credential,
    GatewaySettings,
    HeaderRule,
    Limit,
    Member,
    ModelRoute,
    OutboundProxy,
    Provider,
    Redaction,
    RouteTarget,
    Team,
)
from gateway.policy.addresses import normal_address

ENVIRONMENT_PROVIDERS = ("anthropic", "openai")
Columns = Mapping[str, Any]
"""What the file says of columns that mean the same everywhere (`columns.py`)."""


@dataclass(frozen=True)
class CredentialSpec:
    line: int
    name: str
    secret: str | None = field(default=None, repr=False)
    secret_env: str | None = None
    fingerprint: str | None = None
    sealed: str | None = field(default=None, repr=False)
    """The secret as the database keeps it, encrypted; only in what the gateway writes for itself."""
    enabled: bool = True
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class ProviderSpec:
    line: int
    name: str
    dialect: str
    address: str = ""
    credentials: tuple[CredentialSpec, ...] = ()
    proxies: tuple[str, ...] = ()
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class ProxySpec:
    line: int
    name: str
    password: str | None = field(default=None, repr=False)
    password_env: str | None = None
    sealed: str | None = field(default=None, repr=False)
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class TargetSpec:
    line: int
    provider: str
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class RouteSpec:
    line: int
    match: str
    provider: str
    name: str = ""
    model: str = ""
    position: int = 100
    enabled: bool = True
    demote: bool = False
    shortcuts: tuple[str, ...] = ()
    targets: tuple[TargetSpec, ...] = ()
    columns: Columns = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.name or self.match


@dataclass(frozen=True)
class HeaderRuleSpec:
    line: int
    name: str
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class TeamSpec:
    line: int
    name: str
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class MemberSpec:
    line: int
    user: str
    role: str
    team: str | None = None
    columns: Columns = field(default_factory=dict)

    @property
    def label(self) -> tuple[str, str | None]:
        return self.user, self.team


@dataclass(frozen=True)
class CountedSpec:
    """A limit, a budget, a rule of another kind: a name and columns."""

    line: int
    name: str
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class SettingsSpec:
    line: int
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class ApiKeySpec:
    line: int
    name: str
    team: str | None = None
    key_env: str | None = None
    digest: str | None = None
    generate: bool = False
    previous_digest: str | None = None
    signing_secret: str | None = field(default=None, repr=False)
    signing_secret_env: str | None = None
    signing_sealed: str | None = field(default=None, repr=False)
    owner: str | None = None
    expires_at: datetime | None = None
    enabled: bool = True
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A section that is not in the file is None: nothing is said about it, so nothing of it is pruned."""

    providers: tuple[ProviderSpec, ...] | None = None
    routes: tuple[RouteSpec, ...] | None = None
    teams: tuple[TeamSpec, ...] | None = None
    members: tuple[MemberSpec, ...] | None = None
    settings: SettingsSpec | None = None
    proxies: tuple[ProxySpec, ...] | None = None
    api_keys: tuple[ApiKeySpec, ...] | None = None
    header_rules: tuple[HeaderRuleSpec, ...] | None = None
    limits: tuple[CountedSpec, ...] | None = None
    budgets: tuple[CountedSpec, ...] | None = None
    cache_rules: tuple[CountedSpec, ...] | None = None
    capture_policies: tuple[CountedSpec, ...] | None = None
    content_rules: tuple[CountedSpec, ...] | None = None
    redactions: tuple[CountedSpec, ...] | None = None
    alert_rules: tuple[CountedSpec, ...] | None = None
    alert_channels: tuple[document_alerts.ChannelSpec, ...] | None = None
    grading: document_alerts.GradingSpec | None = None


def dialect(_: Reader, node: yaml.Node) -> str:
    value = scalar(node)
    if value not in [choice.value for choice in ProviderDialect]:
        raise ValueError(f"needs one of {', '.join(ProviderDialect)}")
    return str(value)


def address(_: Reader, node: yaml.Node) -> str:
    return normal_address(str(scalar(node)))


def shortcuts(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    found = [str(item.value) for item in reader.items(node, "shortcuts")]
    if set(found) - set(Shortcut):
        raise ValueError(f"needs a list of {', '.join(Shortcut)}")
    return tuple(sorted(set(found)))


def names(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    return tuple(name(reader, item) for item in reader.items(node, "it"))


def user_name(_: Reader, node: yaml.Node) -> str:
    return str(scalar(node))


def role(_: Reader, node: yaml.Node) -> str:
    value = str(scalar(node))
    if value not in Member.Role.values:
        raise ValueError(f"needs one of {', '.join(Member.Role.values)}")
    return value


def credentials(reader: Reader, node: yaml.Node) -> tuple[CredentialSpec, ...]:
    return reader.records(node, CREDENTIAL_FIELDS, CredentialSpec, "credential", "name")


def targets(reader: Reader, node: yaml.Node) -> tuple[TargetSpec, ...]:
    return reader.records(node, TARGET_FIELDS, TargetSpec, "target", "")


CREDENTIAL_FIELDS = {
    "name": Field(name, required=True),
    "secret": Field(text),
    "secret_env": Field(text),
    "fingerprint": Field(text),
    "sealed": Field(text),
    "enabled": Field(flag),
} | column_fields(Credential, columns.CREDENTIAL)
PROVIDER_FIELDS = {
    "name": Field(name, required=True),
    "dialect": Field(dialect, required=True),
    "address": Field(address),
    "credentials": Field(credentials),
    "proxies": Field(names),
} | column_fields(Provider, columns.PROVIDER)
PROXY_FIELDS = {
    "name": Field(name, required=True),
    "password": Field(text),
    "password_env": Field(text),
    "sealed": Field(text),
} | column_fields(OutboundProxy, columns.PROXY, "address")
TARGET_FIELDS = {"provider": Field(name, required=True)} | column_fields(RouteTarget, columns.TARGET)
ROUTE_FIELDS = {
    "match": Field(text, required=True),
    "provider": Field(name, required=True),
    "name": Field(text),
    "model": Field(optional_text),
    "position": Field(position),
    "enabled": Field(flag),
    "demote": Field(flag),
    "shortcuts": Field(shortcuts),
    "targets": Field(targets),
} | column_fields(ModelRoute, columns.ROUTE)
CAPTURE_POLICY_FIELDS = {"name": Field(name, required=True)} | column_fields(
    CapturePolicy, columns.CAPTURE_POLICY, "mode"
)
CONTENT_RULE_FIELDS = {"name": Field(name, required=True)} | column_fields(
    ContentRule, columns.CONTENT_RULE, "detector"
)
REDACTION_FIELDS = {"name": Field(name, required=True)} | column_fields(Redaction, columns.REDACTION)
HEADER_RULE_FIELDS = {"name": Field(name, required=True)} | column_fields(
    HeaderRule, columns.HEADER_RULE, "header", "action"
)
TEAM_FIELDS = {"name": Field(name, required=True)} | column_fields(Team, columns.TEAM)
MEMBER_FIELDS = {
    "user": Field(user_name, required=True),
    "role": Field(role, required=True),
    "team": Field(team_name),
}
API_KEY_FIELDS = {
    "name": Field(name, required=True),
    "team": Field(team_name),
    "owner": Field(user_name),
    "key_env": Field(text),
    "digest": Field(digest),
    "generate": Field(flag),
    "previous_digest": Field(digest),
    "signing_secret": Field(text),
    "signing_secret_env": Field(text),
    "signing_sealed": Field(text),
    "expires_at": Field(moment),
    "enabled": Field(flag),
} | column_fields(ApiKey, columns.API_KEY)
LIMIT_FIELDS = {"name": Field(name, required=True)} | column_fields(Limit, columns.LIMIT)
BUDGET_FIELDS = {"name": Field(name, required=True)} | column_fields(Budget, columns.BUDGET)
CACHE_RULE_FIELDS = {"name": Field(name, required=True)} | column_fields(CacheRule, columns.CACHE_RULE)
SETTINGS_FIELDS = column_fields(GatewaySettings, columns.SETTINGS)
SECTIONS: dict[str, tuple[Mapping[str, Field], Any, str, str]] = {
    "proxies": (PROXY_FIELDS, ProxySpec, "proxy", "name"),
    "providers": (PROVIDER_FIELDS, ProviderSpec, "provider", "name"),
    "routes": (ROUTE_FIELDS, RouteSpec, "route", "label"),
    "teams": (TEAM_FIELDS, TeamSpec, "team", "name"),
    "members": (MEMBER_FIELDS, MemberSpec, "member", "label"),
    "capture_policies": (CAPTURE_POLICY_FIELDS, CountedSpec, "capture policy", "name"),
    "content_rules": (CONTENT_RULE_FIELDS, CountedSpec, "content rule", "name"),
    "redactions": (REDACTION_FIELDS, CountedSpec, "redaction", "name"),
    "header_rules": (HEADER_RULE_FIELDS, HeaderRuleSpec, "header rule", "name"),
    "api_keys": (API_KEY_FIELDS, ApiKeySpec, "API key", "name"),
    "limits": (LIMIT_FIELDS, CountedSpec, "limit", "name"),
    "budgets": (BUDGET_FIELDS, CountedSpec, "budget", "name"),
    "cache_rules": (CACHE_RULE_FIELDS, CountedSpec, "cache rule", "name"),
    "alert_rules": (document_alerts.ALERT_RULE_FIELDS, CountedSpec, "alert rule", "name"),
    "alert_channels": (document_alerts.CHANNEL_FIELDS, document_alerts.ChannelSpec, "channel", "name"),
}


SECTION_KEYS = {section: key for section, (_, _, _, key) in SECTIONS.items()} | {"settings": "", "grading": ""}
TOP: Mapping[str, Any] = {**SECTION_KEYS, "environments": ""}


def read_document(source: str, environment: str = "") -> Document:
    """The document; raises WrongDocument with every mistake of form. Names that must exist are checked when applied.

    `environments` may hold sections by the name of an environment: those of `environment` are laid over the others,
    entry by entry.
    """
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise WrongDocument(f"this is not YAML: {error}") from None
    if root is None:
        return Document()
    reader = Reader()
    found = reader.mapping(root, TOP, "configuration")
    environments = found.pop("environments", None)
    if environments is not None:
        lay_over(reader, found, environments, environment, SECTION_KEYS)
    elif environment:
        raise WrongDocument(f"this file says nothing of environments, and {environment} was asked for")
    settings, grading = found.pop("settings", None), found.pop("grading", None)
    sections: dict[str, Any] = {section: reader.records(node, *SECTIONS[section]) for section, node in found.items()}
    if settings is not None:
        sections["settings"] = reader.record(settings, SETTINGS_FIELDS, SettingsSpec, "settings")
    if grading is not None:
        sections["grading"] = reader.record(
            grading, document_alerts.GRADING_FIELDS, document_alerts.GradingSpec, "grading"
        )
    document = Document(**sections)
    check_providers(reader, document)
    check_api_keys(reader, document)
    document_alerts.check_channels(reader, document.alert_channels)
    if reader.problems:
        raise WrongDocument("\n".join(reader.problems))
    return document


def check_providers(reader: Reader, document: Document) -> None:
    for provider in document.providers or ():
        if not provider.address and provider.name not in ENVIRONMENT_PROVIDERS:
            reader.problems.append(f"line {provider.line}: the provider {provider.name} needs 'address'")
        if provider.name in ENVIRONMENT_PROVIDERS and provider.dialect != provider.name:
            reader.problems.append(f"line {provider.line}: the dialect of {provider.name} is {provider.name}")
        for credential in provider.credentials:
            given = [credential.secret, credential.secret_env, credential.fingerprint or credential.sealed]
            if sum(item is not None for item in given) != 1:
                reader.problems.append(
                    f"line {credential.line}: the credential {credential.name} needs exactly one of secret, "
                    "secret_env and fingerprint"
                )


def check_api_keys(reader: Reader, document: Document) -> None:
    for key in document.api_keys or ():
        if sum((key.key_env is not None, key.digest is not None, key.generate)) > 1:
            reader.problems.append(
                f"line {key.line}: the API key {key.name} takes only one of key_env, digest and generate"
            )
