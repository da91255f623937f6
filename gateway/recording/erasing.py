"""What an erasure reaches beside the history: dead letters, the quarantine of this host, kept responses and answers.

A dead letter is read to see whose it is, and emptied; it stays counted. A stretch of the quarantine is damage, of which
nobody can say for sure whose it is: one that has the head of a frame of an erased exchange, or names what was asked
for, is emptied too. Kept responses are withdrawn with their exchanges: no host gives them out from then on, and each
empties its files within the hour.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from django.db import transaction

from gateway.dialects.client_headers import read_client
from gateway.history.erasure import Erasure, erase
from gateway.history.holds import FIELDS as HOLD_FIELDS
from gateway.history.removal import Removed
from gateway.models import ApiKey, CacheClearing, DeadLetter, ErasedExchange, ErasureCertificate, LegalHold
from gateway.recording.assemble import Recorded
from gateway.recording.deadletters import read_letter
from gateway.recording.frames import HEADER, MAGIC
from gateway.recording.rows import read, session_of
from gateway.recording.series import QUARANTINE_NAME

ID_OFFSET = 8
"""Of an exchange's id in the head of a frame."""


@dataclass(slots=True)
class Letters:
    """Ids of dead letters that are meant; how many a hold keeps back, and how many could not be read."""

    ids: list[uuid.UUID] = field(default_factory=list)
    held: int = 0
    unread: int = 0


def find_letters(selector: dict[str, str]) -> Letters:
    """Those that still hold bytes, in any state. `selector` is that of `Erasure`."""
    [name] = selector
    field_name = {"session": "session_id", "user": "access_key"}.get(name, name)
    values = names_meant(selector)
    holds = list(LegalHold.objects.all())
    letters = Letters()
    for letter in DeadLetter.objects.exclude(frames=b"").order_by("exchange_id").iterator(chunk_size=20):
        try:
            owner = owner_of(read_letter(letter))
        except (ValueError, msgspec.DecodeError):
            letters.unread += 1
            continue
        if owner[field_name] not in values:
            continue
        if any(is_held(hold, owner) for hold in holds):
            letters.held += 1
        else:
            letters.ids.append(letter.exchange_id)
    return letters


def names_meant(selector: dict[str, str]) -> set[str]:
    """The value of the selector; of a user the names of the keys that are theirs."""
    [(name, value)] = selector.items()
    if name == "user":
        return set(ApiKey.objects.filter(owner__username=value).values_list("name", flat=True))
    return {value}


def owner_of(recorded: Recorded) -> dict[str, str]:
    """What the history would say of it, as far as it can be read: it is here because something could not be."""
    admission = recorded.admission
    try:
        session = session_of(read(recorded))
    except Exception:
        session = read_client(admission.headers).session_id
    return {"session_id": session or "", "access_key": admission.access_key, "team": admission.team}


def is_held(hold: LegalHold, owner: dict[str, str]) -> bool:
    return all(owner[name] == wanted for name in HOLD_FIELDS if (wanted := getattr(hold, name)))


def empty_letters(ids: Sequence[uuid.UUID]) -> None:
    """Their bytes go, their count stays, and the spool does not bring them back."""
    with transaction.atomic():
        letters = DeadLetter.objects.filter(exchange_id__in=ids)
        letters.filter(state=DeadLetter.State.WAITING).update(state=DeadLetter.State.DISCARDED)
        letters.update(frames=b"", detail="")
        ErasedExchange.objects.bulk_create([ErasedExchange(exchange_id=id) for id in ids], ignore_conflicts=True)


def empty_quarantine(spool_dir: Path, names: Collection[str]) -> int:
    """Empty what names one of these, or has the head of a frame of an erased exchange; how many stretches."""
    emptied = 0
    needles = [msgspec.msgpack.encode(form) for name in names for form in (name, name.encode())]
    for path in sorted((spool_dir / QUARANTINE_NAME).glob("[!.]*")):
        data = path.read_bytes()
        if data and (any(said in data for said in needles) or is_of_erased(data)):
            path.write_bytes(b"")
            emptied += 1
    return emptied


def is_of_erased(damaged: bytes) -> bool:
    ids = list(ids_in(damaged))
    return bool(ids) and ErasedExchange.objects.filter(exchange_id__in=ids).exists()


def ids_in(damaged: bytes) -> Iterator[uuid.UUID]:
    """Of every head of a frame that is left in damaged bytes."""
    at = damaged.find(MAGIC)
    while at >= 0:
        if at + HEADER.size <= len(damaged):
            yield uuid.UUID(bytes=damaged[at + ID_OFFSET : at + ID_OFFSET + 16])
        at = damaged.find(MAGIC, at + 1)


def erase_everywhere(erasure: Erasure, spool_dir: Path) -> Iterator[Removed | ErasureCertificate]:
    """Like `erase`, with what lies beside the history. May be broken off and run again. Raises Busy and OSError."""
    letters = find_letters(erasure.selector)
    empty_letters(letters.ids)
    for step in erase(erasure):
        if isinstance(step, ErasureCertificate):
            CacheClearing.objects.create()
            step.letters += len(letters.ids)
            step.held += letters.held
            step.quarantined = empty_quarantine(spool_dir, names_meant(erasure.selector))
            step.save()
        yield step
