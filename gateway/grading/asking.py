"""Asking for grades: a row for the worker, or the one that is there already."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass

from gateway.configuration.sealing import pepper
from gateway.dialects.content import decode_body
from gateway.grading.prompt_text import NoWords, Words, words_of_body
from gateway.grading.rubric import present_rubric
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_request
from gateway.models import Grade, GradedRequest, RequestLog
from gateway.models.at_rest import seal_json

LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asker:
    """`name` is a person, a key, or empty for sampling."""

    origin: Grade.Origin
    name: str = ""


def ask_for_request(row: RequestLog, asker: Asker) -> Grade:
    """The grade of what a person wrote in this request. Raises NoWords."""
    return ask(words_in(row), row.team, asker, row)


def ask_for_words(words: Words, team: str, asker: Asker) -> Grade:
    """The grade of words that need not be in the history."""
    return ask(words, team, asker, None)


def ask(words: Words, team: str, asker: Asker, row: RequestLog | None) -> Grade:
    """One that failed is asked for again, by whoever asks for it again."""
    grade, made = Grade.objects.get_or_create(
        rubric=present_rubric(),
        team=team,
        digest=digest_of(words),
        defaults={
            "origin": asker.origin,
            "asked_by": asker.name[:150],
            "request_id": row.id if row else None,
            "access_key": row.access_key if row else "",
            "told": seal_json([] if row else list(words)),
            "suspect": words.speaks_to_the_judge,
        },
    )
    if row is not None:
        GradedRequest.objects.update_or_create(request_id=row.id, defaults={"grade": grade})
    if not made and asker.origin is not Grade.Origin.SAMPLE:
        again = {"state": Grade.State.WAITING, "attempts": 0, "problem": "", "problem_detail": ""}
        if row is not None:
            again |= {"request_id": row.id}
        if Grade.objects.filter(pk=grade.pk, state=Grade.State.FAILED).update(**again):
            grade.refresh_from_db()
    return grade


def words_in(row: RequestLog) -> Words:
    """Raises NoWords."""
    try:
        body = rebuild_request(row.id)
    except (NotInHistory, Damaged) as error:
        raise NoWords(str(error)) from error
    encoding = encoding_of(row)
    plain = decode_body(encoding, body, LARGEST).data if encoding else body
    return words_of_body(row.dialect, plain)


def encoding_of(row: RequestLog) -> str:
    record = getattr(row, "header_record", None)
    pairs = record.request_pairs if record else []
    return ", ".join(value for name, value in pairs if name.lower() == "content-encoding")


def words_to_grade(grade: Grade) -> Words:
    """What a grade is for, as it stands in the history or as it was told. Raises NoWords and NotInHistory."""
    if grade.told:
        return Words(*grade.told)
    found = RequestLog.objects.none() if grade.request_id is None else RequestLog.objects.filter(id=grade.request_id)
    row = found.select_related("header_record").first()
    if row is None:
        raise NotInHistory(f"there is no exchange {grade.request_id} in the history")
    return words_in(row)


def digest_of(words: Words) -> bytes:
    """Keyed: nobody can look a text up by it."""
    return hmac.digest(pepper("grades"), "\0".join(words).encode("utf-8", "replace"), "sha256")


def grade_of(request_id: uuid.UUID) -> Grade | None:
    """The grade of what a request says, when anybody asked for one."""
    link = GradedRequest.objects.select_related("grade__rubric").filter(request_id=request_id).first()
    return link.grade if link is not None else None
