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
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import yaml

from gateway.dialects.names import ProviderDialect, Shortcut
from gateway.policy.addresses import normal_address

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
ENVIRONMENT_PROVIDERS = ("anthropic", "openai")


class WrongDocument(ValueError):
    """The document cannot be used; one line for each mistake."""


@dataclass(frozen=True)
class CredentialSpec:
    line: int
    name: str
    secret: str | None = field(default=None, repr=False)
    secret_env: str | None = None
    fingerprint: str | None = None
    enabled: bool = True


@dataclass(frozen=True)
class ProviderSpec:
    line: int
    name: str
    dialect: str
    address: str = ""
    credentials: tuple[CredentialSpec, ...] = ()


@dataclass(frozen=True)
class RouteSpec:
    line: int
    match: str
    provider: str
    model: str = ""
    position: int = 100
    enabled: bool = True
    demote: bool = False
    shortcuts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TeamSpec:
    line: int
    name: str


@dataclass(frozen=True)
class ApiKeySpec:
    line: int
    name: str
    team: str | None = None
    key_env: str | None = None
    digest: str | None = None
    generate: bool = False
    expires_at: datetime | None = None
    enabled: bool = True


@dataclass(frozen=True)
class Document:
    """A section that is not in the file is None: nothing is said about it, so nothing of it is pruned."""

    providers: tuple[ProviderSpec, ...] | None = None
    routes: tuple[RouteSpec, ...] | None = None
    teams: tuple[TeamSpec, ...] | None = None
    api_keys: tuple[ApiKeySpec, ...] | None = None


class Reader:
    """Walks the YAML nodes, which know their lines, and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def complain(self, node: yaml.Node, text: str) -> None:
        self.problems.append(f"line {node.start_mark.line + 1}: {text}")

    def mapping(self, node: yaml.Node, known: Mapping[str, Any], what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, f"{what} needs the form name: value")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in known:
                self.complain(key, f"{what} has no {name!r}; it takes {', '.join(known)}")
            elif name in found:
                self.complain(key, f"{name!r} stands twice in this {what}")
            else:
                found[name] = value
        return found

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.complain(node, f"{what} needs a list")
        return []

    def record(self, node: yaml.Node, fields: Mapping[str, Field], build: Callable[..., Any], what: str) -> Any | None:
        """A specification made of a mapping; None, with a complaint, when something in it is wrong."""
        before = len(self.problems)
        found = self.mapping(node, fields, what)
        values: dict[str, Any] = {}
        for name, rule in fields.items():
            if name not in found:
                if rule.required:
                    self.complain(node, f"this {what} needs {name!r}")
                continue
            try:
                values[name] = rule.read(self, found[name])
            except ValueError as error:
                self.complain(found[name], f"{name}: {error}")
        if len(self.problems) > before:
            return None
        return build(line=node.start_mark.line + 1, **values)

    def records(self, node: yaml.Node, fields: Mapping[str, Field], build: Any, what: str, key: str) -> tuple[Any, ...]:
        """The specifications of a list; no two may have the same `key`."""
        built = [(item, self.record(item, fields, build, what)) for item in self.items(node, f"the list of {what}s")]
        seen: set[str] = set()
        for item, spec in built:
            name = getattr(spec, key, None)
            if name in seen:
                self.complain(item, f"the {what} {name!r} stands there twice")
            seen.add(name or "")
        return tuple(spec for _, spec in built if spec is not None)


@dataclass(frozen=True)
class Field:
    read: Callable[[Reader, yaml.Node], Any]
    required: bool = False


def scalar(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("needs a single value")
    return yaml.SafeLoader("").construct_object(node)


def text(_: Reader, node: yaml.Node) -> str:
    if scalar(node) is None or not str(node.value).strip():
        raise ValueError("needs text")
    # As it is written: YAML would make a number of a model called 4.10.
    return str(node.value)


def optional_text(_: Reader, node: yaml.Node) -> str:
    return "" if scalar(node) is None else str(node.value)


def team_name(reader: Reader, node: yaml.Node) -> str | None:
    return None if scalar(node) is None else name(reader, node)


def name(_: Reader, node: yaml.Node) -> str:
    value = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    if not NAME.fullmatch(value):
        raise ValueError("needs a name of lower-case letters, digits, dots, underscores and hyphens")
    return value


def flag(_: Reader, node: yaml.Node) -> bool:
    value = scalar(node)
    if not isinstance(value, bool):
        raise ValueError("needs true or false")
    return value


def position(_: Reader, node: yaml.Node) -> int:
    value = scalar(node)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise ValueError("needs a whole number of zero or more")
    return value


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


def digest(_: Reader, node: yaml.Node) -> str:
    value = str(node.value)
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("needs 64 hex digits, as an export writes them")
    return value


def moment(_: Reader, node: yaml.Node) -> datetime | None:
    value = scalar(node)
    if value is None:
        return None
    if isinstance(value, str):
        value = moment_of_text(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError("needs a time such as 2027-01-01T00:00:00Z")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def moment_of_text(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def credentials(reader: Reader, node: yaml.Node) -> tuple[CredentialSpec, ...]:
    return reader.records(node, CREDENTIAL_FIELDS, CredentialSpec, "credential", "name")


CREDENTIAL_FIELDS = {
    "name": Field(name, required=True),
    "secret": Field(text),
    "secret_env": Field(text),
    "fingerprint": Field(text),
    "enabled": Field(flag),
}
PROVIDER_FIELDS = {
    "name": Field(name, required=True),
    "dialect": Field(dialect, required=True),
    "address": Field(address),
    "credentials": Field(credentials),
}
ROUTE_FIELDS = {
    "match": Field(text, required=True),
    "provider": Field(name, required=True),
    "model": Field(optional_text),
    "position": Field(position),
    "enabled": Field(flag),
    "demote": Field(flag),
    "shortcuts": Field(shortcuts),
}
TEAM_FIELDS = {"name": Field(name, required=True)}
API_KEY_FIELDS = {
    "name": Field(name, required=True),
    "team": Field(team_name),
    "key_env": Field(text),
    "digest": Field(digest),
    "generate": Field(flag),
    "expires_at": Field(moment),
    "enabled": Field(flag),
}
SECTIONS: dict[str, tuple[Mapping[str, Field], Any, str, str]] = {
    "providers": (PROVIDER_FIELDS, ProviderSpec, "provider", "name"),
    "routes": (ROUTE_FIELDS, RouteSpec, "route", "match"),
    "teams": (TEAM_FIELDS, TeamSpec, "team", "name"),
    "api_keys": (API_KEY_FIELDS, ApiKeySpec, "API key", "name"),
}


def read_document(source: str) -> Document:
    """The document; raises WrongDocument with every mistake of form. Names that must exist are checked when applied."""
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise WrongDocument(f"this is not YAML: {error}") from None
    if root is None:
        return Document()
    reader = Reader()
    sections = {
        section: reader.records(node, *SECTIONS[section])
        for section, node in reader.mapping(root, SECTIONS, "configuration").items()
    }
    document = Document(**sections)
    check_providers(reader, document)
    check_api_keys(reader, document)
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
            given = [credential.secret, credential.secret_env, credential.fingerprint]
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
