"""What was observed of an exchange, as rows of the history.

Reading bodies and answers for the record never decides whether they are kept: what cannot be understood leaves columns
empty and a sentence in `parse_warnings`. Text is cleaned for the database here; bytes are stored as they came.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.dialects.accumulate import accumulate, meter
from gateway.dialects.accumulated import Accumulated
from gateway.dialects.client_headers import (
    ClientFacts,
    organization_id,
    rate_limits,
    read_client,
    upstream_request_id,
)
from gateway.dialects.content import decode_body
from gateway.dialects.json_values import JSONObject
from gateway.dialects.metered import Metered
from gateway.dialects.names import BROKEN, Dialect, Outcome
from gateway.dialects.request_facts import RequestFacts, RequestMembers, facts_of, read_members
from gateway.dialects.told import Asked, Got, told_message
from gateway.history import timings
from gateway.history.partitions import month_of
from gateway.history.planning import Planner
from gateway.history.store import Patch, RequestBody, put_reply, put_request, put_response
from gateway.history.writer import ExchangeRows
from gateway.models.at_rest import seal_json
from gateway.pricing.cost import cost_of
from gateway.pricing.price_book import PriceBook
from gateway.recording.assemble import Recorded
from gateway.recording.limit_samples import LimitSamples
from gateway.recording.records import Admission, HeaderChange, HeaderPairs, MeteredAnswer, RulesOfDirection
from gateway.recording.sightings import SightingReader
from gateway.recording.text import INDEXED_BOUND, clean, clean_or_none

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
NOT_ALL_OF_IT = ("metadata", "capped")
LABEL_TAG = "label"
"""Tag of the NAME of a path below /t/NAME/."""
LARGEST_INTEGER = 2**63 - 1


@dataclass(slots=True)
class Reading:
    """An exchange and everything that could be read out of it."""

    id: uuid.UUID
    started_at: datetime.datetime
    recorded: Recorded
    client: ClientFacts
    members: RequestMembers | None
    answer: Accumulated
    answer_headers: HeaderPairs
    warnings: list[str]

    @property
    def outcome(self) -> str:
        return self.recorded.end.outcome

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.recorded.admission.dialect)

    @property
    def facts(self) -> RequestFacts:
        return facts_of(self.dialect, self.members)

    def request_body(self) -> RequestBody:
        encoding = header(self.recorded.admission.headers, b"content-encoding")
        return RequestBody(self.recorded.body or b"", encoding, self.members)

    def reply(self) -> JSONObject | None:
        """The answer's message as the caller has it, and sends it back: in its own dialect."""
        recorded, translated = self.recorded, self.recorded.translated
        if translated is None or self.answer.message is None:
            return self.answer.message
        encoding = header(recorded.admission.headers, b"content-encoding")
        body = decode_body(encoding, recorded.body or b"").data
        path, provider = recorded.admission.path, Dialect(translated.dialect)
        asked = Asked(self.dialect, provider, translated.profile, path, body, str(self.id))
        content_type = header(self.answer_headers, b"content-type")
        coding = header(self.answer_headers, b"content-encoding")
        status = recorded.head.status if recorded.head else 0
        return told_message(asked, Got(status, content_type, coding, recorded.response))


class RowBuilder:
    """`tag_headers` are lower-case names of request headers that are kept as tags."""

    def __init__(self, tag_headers: Sequence[str] = (), prices: PriceBook | None = None) -> None:
        self._tag_headers = frozenset(tag_headers)
        self._planner = Planner()
        self._limits = LimitSamples()
        self._sightings = SightingReader()
        self.prices = prices or PriceBook(())
        """What costs are computed by; whoever builds for long keeps it up to date."""

    def build(self, recorded: Recorded) -> ExchangeRows:
        """All rows of one exchange. Raises ValueError when its records make no sense."""
        reading = read(recorded)
        team = clean(recorded.admission.team, INDEXED_BOUND)
        plan = self._planner.begin(reading.id, month_of(reading.id.bytes), team)
        patches = [Patch(*msgspec.structs.astuple(patch)) for patch in recorded.patches]
        body = reading.request_body()
        request = put_request(plan, reading.dialect, body, patches)
        return ExchangeRows(
            id=reading.id,
            team=team,
            additions=plan.additions,
            request=(*request_row(reading, team, self._tags(recorded.admission)), *request.leaves),
            response=(
                *response_row(reading, self.prices),
                put_reply(plan, reading.dialect, reading.reply()),
            ),
            headers=(
                reading.id,
                seal_json(pairs(recorded.admission.headers)),
                seal_json(pairs(reading.answer_headers)),
                rules_object(recorded),
            ),
            timing=timing_row(reading),
            rate_limits=rate_limit_rows(reading, self._limits),
            bodies=[*request.rows, *put_response(reading.id, recorded.response)],
            sightings=self._sightings.read(
                recorded,
                reading.client,
                reading.started_at,
                body.encoding,
                request.leaves[0],
                plan.additions,
                reading.answer.error_message,
            ),
            is_sampled=reading.client.is_sampled,
        )

    def _tags(self, admission: Admission) -> dict[str, str]:
        named = ((name.decode("latin-1").lower(), value) for name, value in admission.headers)
        tags = {
            name: clean(value.decode("latin-1"), INDEXED_BOUND)
            for name, value in named
            if value and name in self._tag_headers
        }
        return tags | ({LABEL_TAG: admission.label} if admission.label else {})


def read(recorded: Recorded) -> Reading:
    admission = recorded.admission
    answer_headers = recorded.head.headers if recorded.head else []
    warnings: list[str] = []
    members = None
    if recorded.body:
        decoded = decode_body(header(admission.headers, b"content-encoding"), recorded.body)
        warnings += [f"request: {decoded.error}"] if decoded.error else []
        members = read_members(decoded.data)
    answer = Accumulated()
    if recorded.metered is not None and recorded.end.capture in NOT_ALL_OF_IT:
        answer = metered_answer(recorded.metered)
    elif recorded.response:
        content_type, encoding = header(answer_headers, b"content-type"), header(answer_headers, b"content-encoding")
        answer = accumulate(answer_dialect(recorded), content_type, encoding, recorded.response)
    warnings += answer.warnings
    if answer.is_stream and answer.complete is False and recorded.end.outcome == Outcome.COMPLETED:
        warnings.append("the stream ended without its dialect's end mark")
    return Reading(
        id=uuid.UUID(bytes=recorded.exchange_id),
        started_at=EPOCH + datetime.timedelta(microseconds=admission.started_us),
        recorded=recorded,
        client=read_client(admission.headers),
        members=members,
        answer=answer,
        answer_headers=answer_headers,
        warnings=warnings,
    )


def metered_answer(metered: MeteredAnswer) -> Accumulated:
    """What was read out of an answer before its bytes were let go."""
    return Accumulated(
        model=metered.model,
        stop_reason=metered.stop_reason,
        usage=msgspec.json.decode(metered.usage) if metered.usage else None,
        error_type=metered.error_type,
        complete=metered.complete,
        is_stream=metered.is_stream,
    )


def answer_dialect(recorded: Recorded) -> Dialect:
    """What the recorded answer speaks: where it was translated for the caller, another dialect than the request."""
    return Dialect(recorded.translated.dialect if recorded.translated else recorded.admission.dialect)


def translation_object(recorded: Recorded) -> dict[str, Any] | None:
    translated = recorded.translated
    if translated is None:
        return None
    losses = [{"field": clean(loss.field), "reason": clean(loss.reason)} for loss in translated.losses]
    return {"dialect": translated.dialect, "profile": translated.profile, "losses": losses}


def rules_object(recorded: Recorded) -> Any:
    """By direction: `fired` and `shadow` as id and name, `changes` and `would` as name, values before and after."""
    if recorded.rules is None:
        return None
    directions = {"request": recorded.rules.request, "response": recorded.rules.response}
    told = {name: rules_of(found) for name, found in directions.items() if found is not None}
    return seal_json(told) if told else None


def rules_of(found: RulesOfDirection) -> dict[str, Any]:
    told = {
        "fired": found.fired,
        "changes": [changed_values(change) for change in found.changes],
        "shadow": found.shadow,
        "would": [changed_values(change) for change in found.would],
    }
    return {name: value for name, value in told.items() if value}


def changed_values(change: HeaderChange) -> list[Any]:
    return [
        change.name.decode("latin-1"),
        [value.decode("latin-1") for value in change.before],
        [value.decode("latin-1") for value in change.after],
    ]


def session_of(reading: Reading) -> str | None:
    return named(reading.client.session_id or reading.facts.session_id or reading.facts.user_id_session)


def request_row(reading: Reading, team: str, tags: dict[str, str]) -> tuple[Any, ...]:
    recorded, client, facts = reading.recorded, reading.client, reading.facts
    admission = recorded.admission
    return (
        reading.id,
        reading.started_at,
        clean(admission.method, INDEXED_BOUND),
        clean(admission.path),
        clean(admission.query),
        admission.dialect,
        clean(answered_by(recorded) or admission.provider, INDEXED_BOUND),
        clean(admission.access_key, INDEXED_BOUND),
        team,
        clean(admission.client_address, INDEXED_BOUND),
        named(admission.requested_model or facts.model),
        named(answering_model(recorded) or admission.routed_model),
        named(reading.answer.model),
        is_streaming(reading),
        recorded.head.status if recorded.head else None,
        reading.outcome,
        session_of(reading),
        named(client.agent_id or facts.agent_name),
        named(client.parent_agent_id or facts.parent_thread_id),
        named(client.prompt_id),
        named(client.request_class),
        named(client.client_request_id),
        named(client.thread_id or facts.thread_id),
        named(client.turn_id or facts.turn_id),
        named(client.window_id or facts.window_id),
        client.trace_id,
        client.parent_span_id,
        clean(client.client, INDEXED_BOUND),
        clean(client.client_version, INDEXED_BOUND),
        clean(client.user_agent, INDEXED_BOUND),
        clean(client.content_type, INDEXED_BOUND),
        [clean(beta, INDEXED_BOUND) for beta in client.betas],
        facts.message_count,
        facts.tool_count,
        facts.max_tokens if facts.max_tokens is None or abs(facts.max_tokens) <= LARGEST_INTEGER else None,
        tags,
        admission.body_bytes if recorded.body is None or recorded.end.capture == "capped" else len(recorded.body),
        capture(recorded),
        admission.purpose,
        uuid.UUID(bytes=admission.replay_of) if admission.replay_of else None,
        clean(admission.handling, INDEXED_BOUND),
        clean(admission.capture_policy, INDEXED_BOUND),
    )


def response_row(reading: Reading, prices: PriceBook) -> tuple[Any, ...]:
    recorded, answer, headers = reading.recorded, reading.answer, reading.answer_headers
    end = recorded.end
    usage = meter(answer_dialect(recorded), answer.usage, answer.message)
    counts = usage.tokens
    broken = reading.outcome in BROKEN
    return (
        reading.id,
        clean(header(headers, b"content-type"), INDEXED_BOUND),
        clean(header(headers, b"content-encoding"), INDEXED_BOUND),
        recorded.times[0] / 1000 if recorded.times else None,
        recorded.head.at_us / 1000 if recorded.head else None,
        end.at_us / 1000,
        sum(recorded.sizes) if end.response_bytes is None else end.response_bytes,
        named(answer.stop_reason),
        answer.usage,
        counts.input_tokens,
        counts.output_tokens,
        counts.cache_read_tokens,
        counts.cache_write_tokens,
        named(upstream_request_id(headers)),
        named(organization_id(headers)),
        named(answer.error_type),
        clean_or_none(answer.error_message or (None if broken else end.error)),
        clean_or_none(end.error) if broken else None,
        [clean(warning, INDEXED_BOUND) for warning in reading.warnings],
        [msgspec.structs.asdict(attempt) for attempt in end.attempts],
        counts.cache_write_1h_tokens,
        counts.thinking_tokens,
        dict(usage.server_tools) or None,
        named(usage.service_tier),
        named(usage.speed),
        named(usage.inference_geo),
        *cost_columns(reading, usage, prices),
        translation_object(recorded),
    )


def cost_columns(reading: Reading, usage: Metered, prices: PriceBook) -> tuple[Any, ...]:
    """Cost, note and price."""
    admission = reading.recorded.admission
    model = reading.answer.model or admission.routed_model or admission.requested_model
    broken = reading.outcome in BROKEN
    cost = cost_of(
        usage, model, admission.provider, reading.started_at, prices, broken=broken, handling=admission.handling
    )
    return (cost.usd, clean(cost.note, INDEXED_BOUND), cost.price_id)


def timing_row(reading: Reading) -> tuple[Any, ...] | None:
    recorded = reading.recorded
    if not recorded.times:
        return None
    first_at = reading.started_at + datetime.timedelta(microseconds=recorded.times[0])
    held = timings.pack_held(recorded.held) if recorded.held else None
    return (reading.id, len(recorded.times), first_at, timings.pack(recorded.times, recorded.sizes), held)


def rate_limit_rows(reading: Reading, limits: LimitSamples) -> list[tuple[Any, ...]]:
    """One for each name that says something new; of a header sent twice the last counts."""
    head = reading.recorded.head
    if head is None:
        return []
    organization = named(organization_id(head.headers))
    sampled_at = reading.started_at + datetime.timedelta(microseconds=head.at_us)
    samples = {clean(name, INDEXED_BOUND): clean(value) for name, value in rate_limits(head.headers)}
    fresh = limits.new(organization, samples.items(), sampled_at)
    return [(reading.id, name, value, organization, sampled_at) for name, value in fresh]


def is_streaming(reading: Reading) -> bool | None:
    """What the request asked for; where it did not say, what the answer was."""
    for said in (reading.recorded.admission.is_streaming, reading.facts.stream):
        if said is not None:
            return said
    return reading.answer.is_stream if reading.recorded.response or reading.recorded.metered else None


def capture(recorded: Recorded) -> str:
    """Why parts are missing. A body that was announced and never handed over was lost too."""
    if recorded.end.capture == "full" and recorded.body is None and recorded.admission.body_bytes:
        return "lost_body"
    return recorded.end.capture


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first value of a header, empty when there is none; `name` in lower case."""
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")


def pairs(headers: HeaderPairs) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def named(text: str | None) -> str | None:
    """A short text that lists are filtered by."""
    return clean_or_none(text, INDEXED_BOUND)


def answered_by(recorded: Recorded) -> str:
    """The provider whose answer, or failure, the client got: with fallbacks not always the first choice."""
    attempts = recorded.end.attempts
    return attempts[-1].provider if attempts else ""


def answering_model(recorded: Recorded) -> str | None:
    attempts = recorded.end.attempts
    return (attempts[-1].model or recorded.admission.requested_model) if len(attempts) > 1 else None
