"""Brings the configuration tables to what a document says, in one transaction; nothing changes what is already so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models, transaction

from gateway.configuration.applying_alerts import apply_channel, apply_grading
from gateway.configuration.applying_rules import header_rule_values
from gateway.configuration.columns import (
    ALERT_RULE,
    API_KEY,
    BUDGET,
    CACHE_RULE,
    CAPTURE_POLICY,
    CONTENT_RULE,
    CREDENTIAL,
    LIMIT,
    PROVIDER,
    PROXY,
    REDACTION,
    ROUTE,
    SETTINGS,
    TARGET,
    TEAM,
    with_defaults,
)
from gateway.configuration.credentials import set_secret
from gateway.configuration.document import (
    ENVIRONMENT_PROVIDERS,
    ApiKeySpec,
    CountedSpec,
    CredentialSpec,
    Document,
    HeaderRuleSpec,
    MemberSpec,
    ProviderSpec,
    ProxySpec,
    RouteSpec,
    SettingsSpec,
    TeamSpec,
)
from gateway.configuration.document_reader import WrongDocument
from gateway.configuration.sealing import access_key_pepper, fingerprint, seal, unseal
from gateway.models import (
    AlertChannel,
    AlertRule,
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
from gateway.policy.keys import digest_key, generate_key, key_hint


@dataclass
class Outcome:
    """`changes`: a line each. `generated`: keys made now, by name; they are shown this once. `removed`: how many rows
    pruning took."""

    changes: list[str] = field(default_factory=list)
    generated: dict[str, str] = field(default_factory=dict)
    removed: int = 0


class DryRun(Exception):
    """Rolls everything back."""


def apply_document(
    document: Document, environ: Mapping[str, str] = os.environ, *, prune: bool = False, dry_run: bool = False
) -> Outcome:
    """What was, or with `dry_run` would be, changed. Raises WrongDocument, having changed nothing."""
    application = Application(environ, prune)
    try:
        with transaction.atomic():
            application.run(document)
            if dry_run:
                raise DryRun
    except DryRun:
        pass
    return application.outcome


class Application:
    """One run. Parents come before those who refer to them, and are pruned after them."""

    def __init__(self, environ: Mapping[str, str], prune: bool) -> None:
        self.environ = environ
        self.prune = prune
        self.outcome = Outcome()
        self.problems: list[str] = []

    def run(self, document: Document) -> None:
        self.each([document.settings] if document.settings else (), self.apply_settings)
        self.each(document.teams, self.apply_team)
        self.each(document.members, self.apply_member)
        self.each(document.proxies, self.apply_proxy)
        self.each(document.providers, self.apply_provider)
        self.each(document.routes, self.apply_route)
        self.each(document.header_rules, self.apply_header_rule)
        self.each(document.capture_policies, lambda spec: self.apply_counted(CapturePolicy, CAPTURE_POLICY, spec))
        self.each(document.content_rules, lambda spec: self.apply_counted(ContentRule, CONTENT_RULE, spec))
        self.each(document.redactions, lambda spec: self.apply_counted(Redaction, REDACTION, spec))
        self.each(document.api_keys, self.apply_api_key)
        self.each(document.limits, lambda spec: self.apply_counted(Limit, LIMIT, spec))
        self.each(document.budgets, lambda spec: self.apply_counted(Budget, BUDGET, spec))
        self.each(document.alert_channels, lambda spec: apply_channel(self, spec))
        self.each(document.alert_rules, lambda spec: self.apply_counted(AlertRule, ALERT_RULE, spec))
        self.each([document.grading] if document.grading else (), lambda spec: apply_grading(self, spec))
        self.each(document.cache_rules, lambda spec: self.apply_counted(CacheRule, CACHE_RULE, spec))
        if self.problems:
            raise WrongDocument("\n".join(self.problems))
        if self.prune:
            self.prune_all(document)
        if self.problems:
            raise WrongDocument("\n".join(self.problems))

    def each(self, specs: Iterable[Any] | None, apply: Callable[[Any], object]) -> None:
        for spec in specs or ():
            try:
                apply(spec)
            except ValueError as error:
                self.problems.append(f"line {spec.line}: {error}")

    def set_row(self, model: Any, what: str, key: dict[str, Any], values: dict[str, Any]) -> Any:
        """Make the row or change what differs; untouched when nothing does."""
        row = model.objects.filter(**key).first()
        label = next(iter(key.values()))
        if row is None:
            row = model.objects.create(**key, **values)
            self.outcome.changes.append(f"+ {what} {label}")
            return row
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        if changed:
            described = ", ".join(f"{name}: {getattr(row, name)!s} → {value!s}" for name, value in changed.items())
            self.outcome.changes.append(f"~ {what} {label} ({described})")
            for name, value in changed.items():
                setattr(row, name, value)
            row.save(update_fields=list(changed))
        return row

    def apply_settings(self, spec: SettingsSpec) -> None:
        if not spec.columns and not GatewaySettings.objects.exists():
            return
        self.set_row(GatewaySettings, "settings", {"pk": 1}, with_defaults(GatewaySettings, SETTINGS, spec.columns))

    def apply_team(self, spec: TeamSpec) -> None:
        self.set_row(Team, "team", {"name": spec.name}, with_defaults(Team, TEAM, spec.columns))

    def apply_counted(self, model: type[models.Model], names: tuple[str, ...], spec: CountedSpec) -> None:
        values = with_defaults(model, names, spec.columns)
        try:
            model(name=spec.name, **values).clean()
        except ValidationError as error:
            raise ValueError(f"the {model._meta.verbose_name} {spec.name}: {' '.join(error.messages)}") from None
        self.set_row(model, str(model._meta.verbose_name), {"name": spec.name}, values)

    def apply_member(self, spec: MemberSpec) -> None:
        key = {"user": self.user_named(spec.user), "team": self.team_named(spec.team)}
        self.set_row(Member, "member", key, {"role": spec.role})

    def user_named(self, name: str | None) -> Any:
        if name is None:
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise ValueError(f"there is no user {name}")
        return user

    def apply_proxy(self, spec: ProxySpec) -> None:
        values = with_defaults(OutboundProxy, PROXY, spec.columns)
        row = self.set_row(OutboundProxy, "proxy", {"name": spec.name}, values)
        self.set_sealed(row, "ciphertext", spec.sealed, spec.password, spec.password_env, f"proxy {spec.name}")

    def set_sealed(
        self, row: Any, column: str, sealed: str | None, clear: str | None, variable: str | None, label: str
    ) -> None:
        """A secret beside the row's columns; none given: the present one is kept."""
        if sealed is None and clear is None and variable is None:
            return
        wanted = unseal(sealed.encode()) if sealed is not None else clear or self.variable(variable)
        present = bytes(getattr(row, column))
        if present and unseal(present) == wanted:
            return
        setattr(row, column, seal(wanted))
        row.save(update_fields=[column])
        self.outcome.changes.append(f"~ {label} (secret)")

    def apply_provider(self, spec: ProviderSpec) -> None:
        values = {"dialect": spec.dialect, "address": spec.address} | with_defaults(Provider, PROVIDER, spec.columns)
        provider = self.set_row(Provider, "provider", {"name": spec.name}, values)
        self.set_proxies(provider, spec.proxies)
        self.each(spec.credentials, lambda credential: self.apply_credential(provider, credential))
        if self.prune:
            named = [credential.name for credential in spec.credentials]
            self.remove("credential", provider.credentials.exclude(name__in=named))

    def set_proxies(self, provider: Provider, names: tuple[str, ...]) -> None:
        present = set(provider.proxies.values_list("name", flat=True))
        if present == set(names):
            return
        rows = list(OutboundProxy.objects.filter(name__in=names))
        missing = set(names) - {row.name for row in rows}
        if missing:
            raise ValueError(f"there is no proxy {', '.join(sorted(missing))}")
        provider.proxies.set(rows)
        self.outcome.changes.append(f"~ provider {provider.name} (proxies: {', '.join(names) or 'none'})")

    def apply_credential(self, provider: Provider, spec: CredentialSpec) -> None:
        row = provider.credentials.filter(name=spec.name).first()
        label = f"credential {provider.name}/{spec.name}"
        if spec.fingerprint is not None and spec.sealed is None:
            if row is None or row.fingerprint != spec.fingerprint:
                raise ValueError(f"the {label} with this fingerprint is not stored here; give secret or secret_env")
        else:
            secret = self.secret_of(spec)
            if row is None:
                row = Credential(provider=provider, name=spec.name, enabled=spec.enabled)
                set_secret(row, secret)
                row.save()
                self.outcome.changes.append(f"+ {label}")
            elif row.fingerprint != fingerprint(secret):
                set_secret(row, secret)
                row.save()
                self.outcome.changes.append(f"~ {label} (secret)")
        values = {"enabled": spec.enabled} | with_defaults(Credential, CREDENTIAL, spec.columns)
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        if changed:
            Credential.objects.filter(pk=row.pk).update(**changed)
            said = ", ".join(f"{name}: {value}" for name, value in changed.items())
            self.outcome.changes.append(f"~ {label} ({said})")

    def secret_of(self, spec: CredentialSpec) -> str:
        if spec.sealed is not None:
            return unseal(spec.sealed.encode())
        return spec.secret if spec.secret is not None else self.variable(spec.secret_env or "")

    def variable(self, name: str | None) -> str:
        value = self.environ.get(name or "", "").strip()
        if not value:
            raise ValueError(f"the environment variable {name} is not set")
        return value

    def apply_route(self, spec: RouteSpec) -> None:
        values = with_defaults(ModelRoute, ROUTE, spec.columns) | {
            "match": spec.match,
            "provider": self.provider_named(spec.provider),
            "model": spec.model,
            "position": spec.position,
            "enabled": spec.enabled,
            "demote": spec.demote,
            "shortcuts": list(spec.shortcuts),
        }
        row = self.set_row(ModelRoute, "route", {"name": spec.label}, values)
        wanted = [
            with_defaults(RouteTarget, TARGET, target.columns) | {"provider": self.provider_named(target.provider)}
            for target in spec.targets
        ]
        self.set_targets(row, wanted)

    def set_targets(self, route: ModelRoute, wanted: list[dict[str, Any]]) -> None:
        """The targets after the first, in order."""
        present = [
            {"model": row.model, "weight": row.weight, "provider": row.provider}
            for row in route.targets.select_related("provider")
        ]
        if present == wanted:
            return
        route.targets.all().delete()
        for position, values in enumerate(wanted):
            RouteTarget.objects.create(route=route, position=position, **values)
        said = ", ".join(f"{values['provider'].name}/{values['model']}".rstrip("/") for values in wanted)
        self.outcome.changes.append(f"~ route {route.name} (targets: {said or 'none'})")

    def apply_header_rule(self, spec: HeaderRuleSpec) -> None:
        self.set_row(HeaderRule, "header rule", {"name": spec.name}, header_rule_values(spec))

    def provider_named(self, name: str) -> Provider:
        """The provider's row; one that stands for the environment's address is made when it is first referred to."""
        row = Provider.objects.filter(name=name).first()
        if row is None and name in ENVIRONMENT_PROVIDERS:
            row = Provider.objects.create(name=name, dialect=name, address="")
            self.outcome.changes.append(f"+ provider {name} (the environment's address)")
        if row is None:
            raise ValueError(f"there is no provider {name}")
        return row

    def apply_api_key(self, spec: ApiKeySpec) -> None:
        values = with_defaults(ApiKey, API_KEY, spec.columns)
        values |= {"team": self.team_named(spec.team), "owner": self.user_named(spec.owner)}
        values["expires_at"] = spec.expires_at
        values["enabled"] = spec.enabled
        row = ApiKey.objects.filter(name=spec.name).first()
        if spec.key_env is not None:
            values |= digest_and_hint(self.variable(spec.key_env))
        elif spec.digest is not None:
            values["digest"] = bytes.fromhex(spec.digest)
        elif row is None and spec.generate:
            key = generate_key()
            values |= digest_and_hint(key)
            self.outcome.generated[spec.name] = key
        elif row is None:
            raise ValueError(f"the API key {spec.name} is new: it needs key_env, digest or generate: true")
        if "digest" in values and ApiKey.objects.filter(digest=values["digest"]).exclude(name=spec.name).exists():
            raise ValueError(f"another API key has the same key as {spec.name}")
        self.set_api_key(row, spec.name, values)
        row = ApiKey.objects.get(name=spec.name)
        previous = bytes.fromhex(spec.previous_digest) if spec.previous_digest else None
        if (bytes(row.previous_digest) if row.previous_digest else None) != previous:
            row.previous_digest = previous
            row.save(update_fields=["previous_digest"])
            self.outcome.changes.append(f"~ API key {spec.name} (former key)")
        secrets = (spec.signing_sealed, spec.signing_secret, spec.signing_secret_env)
        self.set_sealed(row, "signing_ciphertext", *secrets, f"API key {spec.name}: signing")

    def set_api_key(self, row: ApiKey | None, name: str, values: dict[str, Any]) -> None:
        if row is not None and "digest" in values and bytes(row.digest) != values["digest"]:
            self.outcome.changes.append(f"~ API key {name} (key)")
            row.digest, row.hint = values["digest"], values.get("hint", "")
            row.save(update_fields=["digest", "hint"])
        if row is not None:
            values = {key: value for key, value in values.items() if key not in ("digest", "hint")}
        self.set_row(ApiKey, "API key", {"name": name}, values)

    def team_named(self, name: str | None) -> Team | None:
        if name is None:
            return None
        team = Team.objects.filter(name=name).first()
        if team is None:
            raise ValueError(f"there is no team {name}")
        return team

    def prune_all(self, document: Document) -> None:
        if document.routes is not None:
            self.remove("route", ModelRoute.objects.exclude(name__in=[spec.label for spec in document.routes]))
        if document.api_keys is not None:
            self.remove("API key", ApiKey.objects.exclude(name__in=[spec.name for spec in document.api_keys]))
        if document.providers is not None:
            named = [spec.name for spec in document.providers]
            # A row made for a route to an environment's provider is not written in a document.
            implied = Provider.objects.filter(name__in=ENVIRONMENT_PROVIDERS, address="", credentials=None)
            routed = implied.filter(models.Q(routes__isnull=False) | models.Q(further_routes__isnull=False))
            self.remove("provider", Provider.objects.exclude(name__in=named).exclude(pk__in=routed))
        if document.proxies is not None:
            self.remove("proxy", OutboundProxy.objects.exclude(name__in=[spec.name for spec in document.proxies]))
        rules: tuple[tuple[str, type[models.Model], tuple[Any, ...] | None], ...] = (
            ("limit", Limit, document.limits),
            ("budget", Budget, document.budgets),
            ("cache rule", CacheRule, document.cache_rules),
            ("alert rule", AlertRule, document.alert_rules),
            ("channel", AlertChannel, document.alert_channels),
            ("header rule", HeaderRule, document.header_rules),
            ("capture policy", CapturePolicy, document.capture_policies),
            ("content rule", ContentRule, document.content_rules),
            ("redaction", Redaction, document.redactions),
        )
        for what, model, specs in rules:
            if specs is not None:
                self.remove(what, model._default_manager.exclude(name__in=[spec.name for spec in specs]))
        if document.members is not None:
            kept = {spec.label for spec in document.members}
            rows = Member.objects.select_related("user", "team")
            gone = [row.pk for row in rows if (row.user.get_username(), row.team and row.team.name) not in kept]
            self.remove("member", Member.objects.filter(pk__in=gone))
        if document.teams is not None:
            self.remove("team", Team.objects.exclude(name__in=[spec.name for spec in document.teams]))

    def remove(self, what: str, rows: models.QuerySet[Any]) -> None:
        for row in rows:
            try:
                row.delete()
            except models.ProtectedError:
                self.problems.append(f"the {what} {row} cannot be pruned: a route leads to it")
                continue
            self.outcome.changes.append(f"- {what} {row}")
            self.outcome.removed += 1


def digest_and_hint(key: str) -> dict[str, Any]:
    return {"digest": digest_key(access_key_pepper(), key.encode("utf-8")), "hint": key_hint(key)}
