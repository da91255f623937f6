"""Dead letters that are older than their term: they hold what the history would no longer hold."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator

import msgspec

from gateway.history.id_times import first_id_at
from gateway.models import DeadLetter, LegalHold, RetentionTerm
from gateway.recording.deadletters import read_letter
from gateway.recording.erasing import is_held, owner_of


def due_letters(now: datetime.datetime) -> list[uuid.UUID]:
    """Ids of those past the term of all or of their team, and not held. Whose one is that cannot be read nobody knows:
    the term of all is its term."""
    days = {term.team.name if term.team else None: term.days for term in RetentionTerm.objects.select_related("team")}
    if not days:
        return []
    oldest = first_id_at(now - datetime.timedelta(days=min(days.values())))
    letters = DeadLetter.objects.exclude(frames=b"").filter(exchange_id__lt=oldest).order_by("exchange_id")
    return list(past_their_term(letters.iterator(chunk_size=20), days, now))


def past_their_term(
    letters: Iterator[DeadLetter], days: dict[str | None, int], now: datetime.datetime
) -> Iterator[uuid.UUID]:
    """`days` by the name of a team; None: of all."""
    holds = list(LegalHold.objects.all())
    for letter in letters:
        try:
            owner = owner_of(read_letter(letter))
        except (ValueError, msgspec.DecodeError):
            owner = None
        if owner is not None and any(is_held(hold, owner) for hold in holds):
            continue
        terms = [days[name] for name in {None, owner["team"] if owner else None} if name in days]
        if terms and letter.exchange_id < first_id_at(now - datetime.timedelta(days=min(terms))):
            yield letter.exchange_id
