"""One message to one channel, by whichever way the channel has."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from django.utils import timezone

from gateway.announcing.mail import send_mail
from gateway.announcing.message import Message, slack_body, webhook_body, whole_link
from gateway.announcing.webhook import NotSent, post
from gateway.configuration.sealing import Unreadable, unseal
from gateway.models import AlertChannel, Announcement
from gateway.models.alerts import Kind
from gateway.policy.alerting import Severity


def send(channel: AlertChannel, message: Message) -> None:
    """Returns when it was taken. Raises NotSent."""
    try:
        secret = opened(channel.secret_ciphertext)
        address = opened(channel.address_ciphertext)
    except Unreadable as problem:
        raise NotSent(str(problem)) from problem
    if channel.way == AlertChannel.Way.MAIL:
        send_mail(channel, message, secret)
    elif not address:
        raise NotSent("the channel has no address")
    elif channel.way == AlertChannel.Way.SLACK:
        post(address, slack_body(message), message.uid)
    else:
        post(address, webhook_body(message), message.uid, secret)


def opened(ciphertext: Any) -> str:
    return unseal(bytes(ciphertext)) if ciphertext else ""


def try_channel(channel: AlertChannel, title: str = "A test of this channel", text: str = "") -> str:
    """Send it a test now; one sentence about what came of it, and empty when it was taken."""
    now: datetime.datetime = timezone.now()
    message = Message(
        uid=str(uuid.uuid4()),
        kind=Kind.ALERT.value,
        state=Announcement.State.HAPPENED.value,
        severity=Severity.INFO.value,
        title=title,
        text=text or "Somebody pressed the test button in Turnlog. Nothing is wrong.",
        link=whole_link("/d/alerts/"),
        team="",
        at=now,
    )
    try:
        send(channel, message)
    except NotSent as problem:
        return str(problem)
    return ""
