"""Every setting Turnlog takes from the environment, read and checked in one place.

A setting is a field of `Environment`: its variable is `TURNLOG_` plus the field's name in capitals, except the
conventional `DATABASE_URL` and `REDIS_URL`. A secret may also be given as `<VARIABLE>_FILE`, the path of a file whose
contents (less trailing white space) are the value. A wrong value refuses the start and says how to mend it; all wrong
values are reported together.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

MIB = 1024 * 1024
ROLES = ("gateway", "dashboard")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
OUR_HEADERS = frozenset(
    {"host", "user-agent", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection"}
)
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


class WrongEnvironment(ValueError):
    """One or more variables hold a value that cannot be used; the message lists each with its mend."""


def parse_text(text: str) -> str:
    return text


def parse_int(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError("needs a whole number") from None
    if value < 0:
        raise ValueError("needs a number of zero or more")
    return value


def parse_count(text: str) -> int:
    value = parse_int(text)
    if value == 0:
        raise ValueError("needs a whole number of one or more")
    return value


def parse_port(text: str) -> int:
    value = parse_int(text)
    if value > 65535:
        raise ValueError("needs a port number between 0 and 65535")
    return value


def parse_seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("needs a number of seconds, such as 10 or 0.5") from None
    if not 0 <= value < float("inf"):
        raise ValueError("needs a number of seconds of zero or more")
    return value


def parse_share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError("needs a number from 0 to 1, such as 0.1")
    return value


def parse_bool(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("needs 1 or 0")


def parse_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_header_names(text: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in parse_list(text))


def parse_roles(text: str) -> tuple[str, ...]:
    roles = parse_list(text)
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise ValueError(f"needs one or more of {', '.join(ROLES)}, separated by commas")
    return roles


def plain_address(text: str, example: str) -> SplitResult:
    """Scheme, host, port and path, and nothing else. Raises ValueError, with an address such as it takes."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"needs a full address such as {example}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("needs an address without user name, query or fragment")
    check_port(parts)
    return parts


def parse_provider_url(text: str) -> str:
    """The provider's origin and path prefix, without a trailing slash and without a trailing `/v1`."""
    parts = plain_address(text, "https://api.anthropic.com")
    path = parts.path.rstrip("/")
    if path.endswith("/v1"):
        path = path[: -len("/v1")]
    return f"{parts.scheme}://{parts.netloc}{path}"


def parse_otlp_endpoint(text: str) -> str:
    """Where spans are posted to: what was given, with `/v1/traces` behind it unless it ends so."""
    parts = plain_address(text, "http://collector.example:4318")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1/traces')}/v1/traces"


def parse_otlp_headers(text: str) -> tuple[tuple[str, str], ...]:
    """`name=value,name=value`, values percent-encoded as OpenTelemetry's own variables have it."""
    pairs = []
    for part in parse_list(text):
        name, equals, value = part.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not equals or not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            raise ValueError("needs name=value,name=value; other than letters and digits in a value as %XX")
        if name in OUR_HEADERS:
            raise ValueError(f"cannot set {name}: that is the sender's own")
        pairs.append((name, value))
    return tuple(pairs)


def parse_issuer(text: str) -> str:
    """An issuer of OpenID Connect, whose `/.well-known/openid-configuration` says the rest."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("needs the issuer's address such as https://login.example.com/realms/team")
    check_port(parts)
    return text.strip().rstrip("/")


def parse_database_address(text: str) -> str:
    parts = urlsplit(text.strip())
    form = "needs the form postgresql://user:password@host:5432/name"
    if parts.scheme not in ("postgres", "postgresql") or len(parts.path) < 2:
        raise ValueError(form)
    check_port(parts)
    return text.strip()


def parse_redis_address(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise ValueError("needs the form redis://host:6379/0")
    check_port(parts)
    return text.strip()


def check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("needs a port between 0 and 65535") from None


def parse_encryption_keys(text: str) -> tuple[str, ...]:
    keys = parse_list(text)
    try:
        lengths = {len(base64.urlsafe_b64decode(key.encode())) for key in keys}
    except ValueError:
        lengths = {0}
    if lengths != {32}:
        raise ValueError(
            "needs keys of 32 bytes in url-safe base64, newest first, separated by commas; make one with "
            "python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
        )
    return keys


def parse_choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        lowered = text.strip().lower()
        if lowered not in choices:
            raise ValueError(f"needs one of {', '.join(choices)}")
        return lowered

    return parse


def parse_path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def parse_file(text: str) -> Path:
    path = parse_path(text)
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror} ({path})") from None
    return path


def setting(
    default: Any, parse: Callable[[str], Any], *, secret: bool = False, variable: str | None = None, help: str = ""
) -> Any:
    metadata = {"parse": parse, "secret": secret, "variable": variable, "help": help}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Environment:
    """The settings in force. `sources` names for each field where its value came from."""

    host: str = setting("127.0.0.1", parse_text, help="address the gateway listens on")
    port: int = setting(8787, parse_port, help="port the gateway listens on")
    data_dir: Path = setting(Path(".turnlog").absolute(), parse_path, help="where everything durable lies")
    roles: tuple[str, ...] = setting(ROLES, parse_roles, help="what a web process serves")
    web_processes: int = setting(1, parse_count, help="web processes on this host")
    anthropic_url: str = setting("https://api.anthropic.com", parse_provider_url, help="Anthropic's address")
    openai_url: str = setting("https://api.openai.com", parse_provider_url, help="OpenAI's address")
    anthropic_key: str = setting("", parse_text, secret=True, help="key the gateway uses for Anthropic")
    openai_key: str = setting("", parse_text, secret=True, help="key the gateway uses for OpenAI")
    access_keys_file: Path | None = setting(None, parse_file, help="who may call: one name=key a line")
    allow_open: bool = setting(False, parse_bool, help="allow open mode on an address other than loopback")
    secret_key: str = setting("", parse_text, secret=True, help="signs sessions, fingerprints secrets")
    encryption_keys: tuple[str, ...] = setting(
        (), parse_encryption_keys, secret=True, help="encrypt stored credentials"
    )
    history_keys: tuple[str, ...] = setting(
        (), parse_encryption_keys, secret=True, help="encrypt the history, newest first; none: it is not encrypted"
    )
    admin_user: str = setting("admin", parse_text, help="administrator made on the first start")
    admin_password: str = setting("", parse_text, secret=True, help="the administrator's password")
    oidc_url: str = setting("", parse_issuer, help="an OpenID Connect provider people may sign in by")
    oidc_name: str = setting("Single sign-on", parse_text, help="what it is called on the page of signing in")
    oidc_client_id: str = setting("", parse_text, help="our name there")
    oidc_client_secret: str = setting("", parse_text, secret=True, help="our password there")
    allowed_hosts: tuple[str, ...] = setting((), parse_list, help="host names the pages answer to")
    capture_policy: str = setting(
        "available", parse_choice("available", "strict"), help="when history cannot be kept: serve, or answer 503"
    )
    spool_max_bytes: int = setting(4096 * MIB, parse_count, help="bound on what waits on disk for Postgres")
    max_request_bytes: int = setting(64 * MIB, parse_count, help="largest request body")
    max_memory_bytes: int = setting(
        0, parse_int, help="memory of a web process, new requests get 503 from 80 % on; 0: what the system allows"
    )
    connect_timeout: float = setting(10.0, parse_seconds, help="seconds to reach a provider")
    header_timeout: float = setting(600.0, parse_seconds, help="seconds until a provider's answer begins")
    idle_timeout: float = setting(300.0, parse_seconds, help="seconds of silence within an answer")
    client_write_timeout: float = setting(300.0, parse_seconds, help="seconds a client may take no bytes")
    drain_grace: float = setting(5.0, parse_seconds, help="seconds of serving on after SIGTERM")
    drain_seconds: float = setting(1920.0, parse_seconds, help="seconds for running streams to finish")
    tag_headers: tuple[str, ...] = setting(
        ("x-team", "x-project", "x-user"), parse_header_names, help="request headers kept as tags"
    )
    upstream_allow_hosts: tuple[str, ...] = setting(
        (), parse_list, help="hosts that may lie on private addresses; others then may not"
    )
    backup_days: int = setting(8, parse_int, help="days after which System health warns of an old backup; 0: never")
    model_refresh: float = setting(
        60.0, parse_seconds, help="seconds between two looks at the providers' lists of models; 0: none is kept"
    )
    log_level: str = setting("info", parse_choice("debug", "info", "warning", "error"), help="how much is logged")
    log_format: str = setting("console", parse_choice("console", "json"), help="how it is written")
    metrics_log: bool = setting(False, parse_bool, help="one line for each exchange when it is in the history")
    metrics_token: str = setting(
        "", parse_text, secret=True, help="who scrapes /metrics sends it; none: only this machine may"
    )
    otlp_endpoint: str = setting("", parse_otlp_endpoint, help="where OpenTelemetry spans are sent; none: nowhere")
    otlp_headers: tuple[tuple[str, str], ...] = setting(
        (), parse_otlp_headers, secret=True, help="sent with them: name=value,name=value"
    )
    otlp_service_name: str = setting("turnlog", parse_text, help="what the gateway is called there")
    otlp_sample: float = setting(1.0, parse_share, help="part of the traces, 0 to 1, of which the client says nothing")
    tls_certificate_file: Path | None = setting(
        None, parse_file, help="speak TLS ourselves: the certificate and those above it, PEM"
    )
    tls_key_file: Path | None = setting(None, parse_file, help="its key, when that lies in a file of its own")
    tls_client_ca_file: Path | None = setting(
        None, parse_file, help="take only callers with a certificate signed by one of these, PEM"
    )
    tls_minimum: str = setting("1.2", parse_choice("1.2", "1.3"), help="oldest TLS taken")
    behind_tls: bool = setting(False, parse_bool, help="a proxy before us ends TLS and sets X-Forwarded-Proto")
    database_url: str = setting(
        "", parse_database_address, secret=True, variable="DATABASE_URL", help="an external PostgreSQL"
    )
    redis_url: str = setting("", parse_redis_address, secret=True, variable="REDIS_URL", help="a Redis, if any")
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def listens_on_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS or self.host.startswith("127.")

    @property
    def holds_keys(self) -> bool:
        """Whether it alone makes the gateway keyed: without these, only keys made in the admin do."""
        return bool(self.access_keys_file or self.anthropic_key or self.openai_key)

    def with_port(self, port: int) -> Environment:
        return replace(self, port=port)

    @property
    def base_url(self) -> str:
        """Where a client on this machine reaches the gateway; without a trailing slash."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        scheme = "https" if self.speaks_tls else "http"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    @property
    def speaks_tls(self) -> bool:
        return self.tls_certificate_file is not None


def variable_of(name: str, metadata: Mapping[str, Any]) -> str:
    return metadata.get("variable") or f"TURNLOG_{name.upper()}"


def read_value(variable: str, environ: Mapping[str, str], secret: bool) -> tuple[str | None, str]:
    """The variable's text and where it came from; a `_FILE` that cannot be read is an error, never ignored."""
    text = environ.get(variable)
    file_variable = f"{variable}_FILE"
    path = environ.get(file_variable) if secret else None
    if path:
        if text:
            raise ValueError(f"is set twice: unset either {variable} or {file_variable}")
        try:
            return Path(path).read_text(encoding="utf-8").rstrip(), f"{file_variable}={path}"
        except OSError as error:
            raise ValueError(f"cannot be read from {file_variable}: {error.strerror} ({path})") from None
    return (text, variable) if text else (None, "default")


def load_environment(environ: Mapping[str, str]) -> Environment:
    """Read every setting; raises WrongEnvironment that names each wrong variable and its mend."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for item in fields(Environment):
        if item.name == "sources":
            continue
        variable = variable_of(item.name, item.metadata)
        try:
            text, sources[item.name] = read_value(variable, environ, item.metadata["secret"])
            if text is not None:
                values[item.name] = item.metadata["parse"](text)
        except ValueError as error:
            problems.append(f"{variable} {error}")
    if values.get("tls_certificate_file") is None:
        alone = [name for name in ("tls_key_file", "tls_client_ca_file") if name in values]
        problems += [f"TURNLOG_{name.upper()} needs TURNLOG_TLS_CERTIFICATE_FILE beside it" for name in alone]
    if problems:
        raise WrongEnvironment("\n".join(problems))
    return Environment(**values, sources=sources)


def describe(environment: Environment) -> list[tuple[str, str, str]]:
    """(variable, value with secrets masked, source) of every setting, in the order of the class."""
    rows = []
    for item in fields(Environment):
        if item.name == "sources":
            continue
        value = getattr(environment, item.name)
        rows.append(
            (
                variable_of(item.name, item.metadata),
                mask(value) if item.metadata["secret"] else show(value),
                environment.sources.get(item.name, "default"),
            )
        )
    return rows


def show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def mask(value: Any) -> str:
    return "(set)" if value else ""
