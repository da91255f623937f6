"""Asking the judge: a request of our own through the gateway, by its routes, recorded like any other.

The request carries an errand in the place of a key, so that it is known as ours and needs none, and a name of its own.
By that name a worker finds what the judge answered one that was killed before it could write it down.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass

from django.conf import settings

from gateway.configuration.sealing import pepper
from gateway.dialects.answer import Failed
from gateway.dialects.anthropic.answer import decode_answer
from gateway.dialects.content import decode_body
from gateway.dialects.names import Outcome
from gateway.dialects.profiles import DEFAULT_PROFILE
from gateway.dialects.turn import Request, Text
from gateway.grading.verdict import Failure
from gateway.history.id_times import first_id_at
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_response
from gateway.history.translated import rebuild_got
from gateway.models import GradingSettings, RequestLog
from gateway.policy.errands import GRADING, Errand, seal_errand
from gateway.upstream.client import httpx

PATH = "/v1/messages"
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What the judge wrote, and the model that the answer names."""

    text: str
    model: str


def ask_judge(grading: GradingSettings, body: bytes, name: str, team: str) -> Answered:
    """`name` is the request's own, in its x-client-request-id. Raises Failure."""
    errand = seal_errand(Errand(GRADING, team=team), pepper("errands"), time.time())
    headers = {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "user-agent": "turnlog-grading",
        "x-client-request-id": name,
        "x-turnlog-key": errand,
    }
    try:
        reply = post(gateway_address(grading) + PATH, headers, body, grading.timeout_seconds)
    except httpx.ConnectError as error:
        raise Failure("unreachable", f"{gateway_address(grading)}: {error}. Is the gateway running?") from error
    except httpx.TimeoutException as error:
        raise Failure("late", f"no whole answer within {grading.timeout_seconds} s") from error
    except httpx.TransportError as error:
        raise Failure("unreachable", f"the answer broke off: {error}") from error
    if reply.status_code != httpx.codes.OK:
        raise Failure("refused", f"{reply.status_code}: {reply.text[:500]}")
    return text_of(reply.content)


def post(address: str, headers: dict[str, str], body: bytes, seconds: float) -> httpx.Response:
    """The whole answer within `seconds`, however slowly it drips."""
    deadline = time.monotonic() + seconds
    timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    with (
        httpx.Client(timeout=timeout, trust_env=False) as client,
        client.stream("POST", address, headers=headers, content=body) as reply,
    ):
        parts = []
        for part in reply.iter_bytes():
            parts.append(part)
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("late")
        kept = {name: value for name, value in reply.headers.items() if name != "content-encoding"}
        return httpx.Response(reply.status_code, headers=kept, content=b"".join(parts))


def gateway_address(grading: GradingSettings) -> str:
    return (grading.gateway_url or f"http://127.0.0.1:{settings.TURNLOG.port}").rstrip("/")


def text_of(body: bytes) -> Answered:
    """What a Messages answer says. Raises Failure."""
    answer = decode_answer(body, Request(model="", messages=()), DEFAULT_PROFILE)
    if isinstance(answer, Failed):
        raise Failure("no_json", f"it is no answer of the Messages API: {answer.message}")
    return Answered("\n".join(part.text for part in answer.content if isinstance(part, Text)), answer.model)


def answered_before(name: str, since: datetime.datetime) -> Answered | None:
    """The whole answer to the request of this name, when it is in the history; None otherwise."""
    row = (
        RequestLog.objects.filter(
            id__gte=first_id_at(since), purpose=GRADING, client_request_id=name, outcome=Outcome.COMPLETED,
            status_code=httpx.codes.OK,
        )
        .select_related("response")
        .first()
    )  # fmt: skip
    if row is None:
        return None
    try:
        return text_of(body_of(row))
    except (Failure, Damaged, NotInHistory):
        return None


def body_of(row: RequestLog) -> bytes:
    """The answer as we got it, or would have."""
    if row.response.translation:
        return rebuild_got(row.id)
    return decode_body(row.response.content_encoding, rebuild_response(row.id)).data
