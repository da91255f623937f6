"""Writes down what people do: signing in and out, reading what was said, taking it away, changing anything.

Reads and exports are known by the address that was answered (`WATCHED`), and an export by its being a file too, so that
no view can forget to say so; changes by the versions of the configuration and by the admin's own log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from allauth.account.signals import password_changed
from allauth.mfa.signals import authenticator_added, authenticator_removed
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.admin.models import LogEntry
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from dashboard.accounts.adapters import AccountAdapter
from dashboard.models import AuditEvent
from gateway.models import ConfigurationRevision

Action = AuditEvent.Action
DETAILS_BOUND = 20_000
WATCHED = {
    "d:request": Action.READ,
    "d:request_peek": Action.READ,
    "d:request_copy": Action.EXPORTED,
    "d:request_media": Action.READ,
    "d:request_raw": Action.EXPORTED,
    "d:conversation": Action.READ,
    "d:request_grade": Action.READ,
    "d:request_grade_page": Action.READ,
    "d:correct_grade": Action.CHANGED,
    "d:acknowledge_alert": Action.CHANGED,
    "d:mute_rule": Action.CHANGED,
    "read_api:one_request": Action.READ,
    "read_api:one_conversation": Action.READ,
    "read_api:search_turns": Action.READ,
}
"""Addresses, by their names, that show or hand out prompts and answers, or change what is thought of something."""
DONE = {Action.READ: (200,), Action.EXPORTED: (200,), Action.CHANGED: (200, 302)}
"""The statuses that say it was done; a change leads back to a page."""

current: ContextVar[HttpRequest | None] = ContextVar("current", default=None)
"""The request that is being answered, for what is done on its behalf far from it."""


def note(
    action: Action, *, request: HttpRequest | None = None, user: Any = None, target: str = "", details: str = ""
) -> None:
    """One more row. Without a request, that of the running one counts; a command has none."""
    request = request or current.get()
    user = user if user is not None else getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    AuditEvent.objects.create(
        action=action,
        actor_id=user.pk if known else None,
        actor_name=user.get_username() if known else "",
        address="" if request is None else AccountAdapter().get_client_ip(request)[:64],
        target=target.replace("\0", "")[:1000],
        details=details.replace("\0", "")[:DETAILS_BOUND],
    )


def watched(request: HttpRequest, response: HttpResponseBase) -> Action | None:
    """What an answer did that is written down: what its address is watched for, and every file is taken away."""
    if request.resolver_match is None:
        return None
    is_file = response.headers.get("Content-Disposition", "").startswith("attachment")
    return WATCHED.get(request.resolver_match.view_name, Action.EXPORTED if is_file else None)


def note_watched(request: HttpRequest, response: HttpResponseBase) -> None:
    match = request.resolver_match
    action = watched(request, response)
    if (
        action is not None
        and match is not None
        and response.status_code in DONE[action]
        and request.user.is_authenticated
    ):
        target = " ".join(str(value) for value in (*match.args, *match.kwargs.values()))
        note(
            action,
            request=request,
            target=f"{match.view_name} {target}".strip(),
            details=request.META.get("QUERY_STRING", ""),
        )


Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def auditing(get_response: Sync | Async) -> Sync | Async:
    """Middleware: remembers whose request is being answered, and writes down what `WATCHED` names."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            token = current.set(request)
            try:
                response: HttpResponseBase = await get_response(request)
            finally:
                current.reset(token)
            if watched(request, response) is not None:
                await sync_to_async(note_watched)(request, response)
            return response

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        token = current.set(request)
        try:
            response: HttpResponseBase = get_response(request)  # type: ignore[assignment]
        finally:
            current.reset(token)
        note_watched(request, response)
        return response

    return respond


def signed_in(sender: Any, request: HttpRequest, user: Any, **signal: Any) -> None:
    note(Action.SIGNED_IN, request=request, user=user)


def signed_out(sender: Any, request: HttpRequest, user: Any, **signal: Any) -> None:
    if user is not None:
        note(Action.SIGNED_OUT, request=request, user=user)


def sign_in_failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **signal: Any) -> None:
    name = credentials.get("username") or credentials.get("login") or ""
    note(Action.SIGN_IN_FAILED, request=request, target=str(name)[:150])


def account_changed(what: str) -> Callable[..., None]:
    def told(sender: Any, request: HttpRequest, user: Any, **signal: Any) -> None:
        note(Action.ACCOUNT, request=request, user=user, target=what)

    return told


def configured(sender: Any, instance: ConfigurationRevision, created: bool, **signal: Any) -> None:
    """A version of the configuration: its difference has secrets masked already."""
    if created:
        note(
            Action.CHANGED,
            user=instance.author,
            target=f"configuration, version {instance.pk}",
            details=instance.difference,
        )


def changed_in_admin(sender: Any, instance: LogEntry, created: bool, **signal: Any) -> None:
    if created:
        kind = instance.content_type.name if instance.content_type else ""
        done = instance.get_action_flag_display()
        words = instance.get_change_message()
        note(
            Action.CHANGED,
            user=instance.user,
            target=f"{kind} {instance.object_repr}".strip(),
            details=f"{done}: {words}",
        )


password_changed_told = account_changed("password")
factor_added_told = account_changed("second factor added")
factor_removed_told = account_changed("second factor removed")


def listen() -> None:
    """Once, when the apps are ready."""
    user_logged_in.connect(signed_in)
    user_logged_out.connect(signed_out)
    user_login_failed.connect(sign_in_failed)
    password_changed.connect(password_changed_told)
    authenticator_added.connect(factor_added_told)
    authenticator_removed.connect(factor_removed_told)
    post_save.connect(configured, sender=ConfigurationRevision)
    post_save.connect(changed_in_admin, sender=LogEntry)
