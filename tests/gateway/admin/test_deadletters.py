"""Dead letters in the admin: seen, replayed, discarded."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from django.test import Client

from gateway.models import DeadLetter, RequestLog
from gateway.recording.assemble import pack_frames
from gateway.recording.frames import Kind
from gateway.recording.records import End, Progress
from tests.exchanges import Sample

pytestmark = pytest.mark.django_db

LIST = "/admin/gateway/deadletter/"


def letter(reason: str = "the row was refused", *, frames: bytes | None = None) -> DeadLetter:
    recorded = Sample({"model": "claude-opus-5-5", "messages": []}).recorded()
    body = recorded.body or b""
    progress = Progress(body=len(body), end=End(at_us=5, outcome="completed"))
    parts = [
        (Kind.ADMISSION.value, msgspec.msgpack.encode(recorded.admission), b""),
        (Kind.PROGRESS.value, msgspec.msgpack.encode(progress), body),
    ]
    packed = pack_frames(recorded.exchange_id, parts)
    exchange_id = uuid.UUID(bytes=recorded.exchange_id)
    return DeadLetter.objects.create(
        exchange_id=exchange_id, reason=reason, frames=packed if frames is None else frames
    )


def act(client: Client, action: str, *letters: DeadLetter, **more: str) -> str:
    data = {"action": action, "_selected_action": [str(item.pk) for item in letters], **more}
    response = client.post(LIST, data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_they_are_listed_and_shown_with_what_was_asked(admin: Client) -> None:
    item = letter("<b>bad</b> row")
    listed = admin.get(LIST).content.decode()
    assert str(item.exchange_id) in listed
    assert "<b>bad</b>" not in listed
    shown = admin.get(f"{LIST}{item.pk}/change/").content.decode()
    assert "POST /v1/messages" in shown
    assert "<b>bad</b>" not in shown


def test_one_that_cannot_be_put_together_is_shown(admin: Client) -> None:
    item = letter(frames=b"nonsense")
    assert "cannot be put together" in admin.get(f"{LIST}{item.pk}/change/").content.decode()


def test_replaying_stores_it_once(admin: Client) -> None:
    item = letter()
    assert "1 stored" in act(admin, "replay_selected", item)
    assert RequestLog.objects.filter(id=item.exchange_id).count() == 1
    act(admin, "replay_selected", item)
    assert RequestLog.objects.filter(id=item.exchange_id).count() == 1
    item.refresh_from_db()
    assert item.state == DeadLetter.State.REPLAYED


def test_what_cannot_be_replayed_says_why_and_waits_on(admin: Client) -> None:
    item = letter(frames=b"nonsense")
    assert "Cannot be stored" in act(admin, "replay_selected", item)
    item.refresh_from_db()
    assert item.state == DeadLetter.State.WAITING


def test_discarding_asks_first(admin: Client) -> None:
    item = letter()
    assert "cannot be undone" in act(admin, "discard_selected", item)
    item.refresh_from_db()
    assert item.state == DeadLetter.State.WAITING
    assert "1 discarded" in act(admin, "discard_selected", item, confirmed="yes")
    item.refresh_from_db()
    assert (item.state, bytes(item.frames)) == (DeadLetter.State.DISCARDED, b"")


def test_they_cannot_be_made_edited_or_deleted(admin: Client) -> None:
    item = letter()
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{item.pk}/delete/", {"post": "yes"}).status_code == 403
    admin.post(f"{LIST}{item.pk}/change/", {"reason": "another", "state": "replayed"})
    item.refresh_from_db()
    assert (item.reason, item.state) == ("the row was refused", DeadLetter.State.WAITING)
