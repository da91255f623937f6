"""Everything the history knows of one request that is a single value, in the order a person would ask for it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlencode

from django.urls import reverse

from gateway.history.veil import shown_text
from gateway.models import RequestLog, ResponseLog


class Fact(NamedTuple):
    label: str
    value: object
    link: str = ""


class Neighbours(NamedTuple):
    """The requests before and after one in its session."""

    before: object = None
    after: object = None


def response_of(row: RequestLog) -> ResponseLog | None:
    return getattr(row, "response", None)


def neighbours(row: RequestLog) -> Neighbours:
    if not row.session_id:
        return Neighbours()
    same = RequestLog.objects.filter(session_id=row.session_id, team=row.team).values_list("id", flat=True)
    return Neighbours(
        before=same.filter(id__lt=row.id).order_by("-id").first(),
        after=same.filter(id__gt=row.id).order_by("id").first(),
    )


def list_facts(row: RequestLog) -> list[Fact]:
    facts = [*identity(row), *caller(row), *content(row), *answer(response_of(row))]
    return [as_seen(fact, row.team) for fact in facts]


def as_seen(fact: Fact, team: str) -> Fact:
    """What is hidden is not in the address of a link either."""
    if not isinstance(fact.value, str):
        return fact
    seen = shown_text(fact.value, team)
    return fact if seen == fact.value else Fact(fact.label, seen)


def identity(row: RequestLog) -> list[Fact]:
    return [
        Fact("Request id", row.id),
        Fact("Session", row.session_id, conversation_of(row)),
        Fact("Agent", row.agent_id),
        Fact("Parent agent", row.parent_agent_id),
        Fact("Prompt", row.prompt_id, same_rows("q", row.prompt_id)),
        Fact("Thread", row.thread_id),
        Fact("Turn", row.turn_id),
        Fact("Window", row.window_id),
        Fact("Request class", row.request_class),
        Fact("Client's request id", row.client_request_id),
        Fact("Trace", row.trace_id, same_trace(row.trace_id)),
        Fact("Parent span", row.parent_span_id),
    ]


def caller(row: RequestLog) -> list[Fact]:
    return [
        Fact("Client", f"{row.client} {row.client_version}".strip()),
        Fact("User agent", row.user_agent),
        Fact("Address", row.client_address),
        Fact("Key", row.access_key or "open mode"),
        Fact("Team", row.team),
        Fact("Tags", ", ".join(f"{name}={value}" for name, value in row.tags.items())),
    ]


def content(row: RequestLog) -> list[Fact]:
    return [
        Fact("Dialect", row.dialect),
        Fact("Provider", row.provider),
        Fact("Model asked for", row.requested_model),
        Fact("Model routed to", row.routed_model),
        Fact("Model that answered", row.model),
        Fact("Messages", row.message_count),
        Fact("Tools", row.tool_count),
        Fact("Max tokens", row.max_tokens),
        Fact("Betas", ", ".join(row.betas)),
        Fact("Content type", row.content_type),
        Fact("Request bytes", f"{row.request_bytes:,}"),
        Fact("Kept", row.capture),
        Fact("Capture policy", row.capture_policy),
        Fact("Purpose", row.purpose),
        Fact("Replay of", row.replay_of, same_rows("q", str(row.replay_of)) if row.replay_of else ""),
    ]


def answer(response: ResponseLog | None) -> list[Fact]:
    if response is None:
        return []
    return [
        Fact("Answer bytes", f"{response.response_bytes:,}"),
        Fact("Answer's content type", response.content_type),
        Fact("Answer's encoding", response.content_encoding),
        Fact("Provider's request id", response.upstream_request_id, same_rows("q", response.upstream_request_id)),
        Fact("Organization", response.organization_id),
        Fact("Service tier", response.service_tier),
        Fact("Speed", response.speed),
        Fact("Inference in", response.inference_geo),
    ]


def conversation_of(row: RequestLog) -> str:
    """Its page, at this turn."""
    if not row.session_id:
        return ""
    return f"{reverse('d:conversation', args=[row.session_id])}?{urlencode({'at': row.id})}#turn-{row.id}"


def same_trace(trace_id: str | None) -> str:
    return f"{reverse('d:requests')}?{urlencode({'q': f'trace:{trace_id}'})}" if trace_id else ""


def same_rows(name: str, value: str | None) -> str:
    """The list, narrowed to the rows that share a value."""
    return f"{reverse('admin:gateway_requestlog_changelist')}?{name}={quote(value, safe='')}" if value else ""
