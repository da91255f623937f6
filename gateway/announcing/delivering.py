"""The worker's side of the outbox: send what waits, note what came of it, try again later.

A delivery is held by a lock while it is sent, and its attempt is written down before. A worker that is killed after the
receiver took the message and before that was noted leaves it waiting: it is sent once more, under the same key, by
which a receiver knows it. Sent twice is better than never; nothing else is.
"""

from __future__ import annotations

import datetime

import structlog
from django.utils import timezone

from gateway.announcing.message import message_of
from gateway.announcing.sending import send
from gateway.announcing.webhook import NotSent
from gateway.models import Announcement, Delivery
from gateway.models.session_lock import held

log = structlog.get_logger(__name__)

LOCK = 0x64656C76
PAUSES = tuple(datetime.timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600))
"""After each attempt that failed; after the last there is no other."""
MOST_LOOKED_AT = 100
KEPT = datetime.timedelta(days=400)


def deliver_next() -> bool:
    """Send one delivery that is due; whether there was one."""
    due = Delivery.objects.filter(state=Delivery.State.WAITING, not_before__lte=timezone.now())
    for pk in list(due.order_by("not_before", "pk").values_list("pk", flat=True)[:MOST_LOOKED_AT]):
        with held(LOCK, pk) as is_ours:
            if not is_ours:
                continue
            delivery = Delivery.objects.select_related("announcement", "channel").get(pk=pk)
            if delivery.state == Delivery.State.WAITING and delivery.not_before <= timezone.now():
                deliver(delivery)
                return True
    return False


def deliver(delivery: Delivery) -> None:
    delivery.attempts += 1
    delivery.tried_at = timezone.now()
    delivery.save(update_fields=["attempts", "tried_at"])
    if not delivery.channel.enabled:
        fail(delivery, "the channel is switched off", is_last=True)
        return
    try:
        send(delivery.channel, message_of(delivery.announcement))
    except NotSent as problem:
        fail(delivery, str(problem), is_last=delivery.attempts > len(PAUSES))
        return
    delivery.state, delivery.sent_at, delivery.problem = Delivery.State.SENT, timezone.now(), ""
    delivery.save(update_fields=["state", "sent_at", "problem"])


def fail(delivery: Delivery, problem: str, *, is_last: bool) -> None:
    delivery.problem = " ".join(problem.replace("\0", "").split())[:500]
    if is_last:
        delivery.state = Delivery.State.FAILED
    else:
        delivery.not_before = timezone.now() + PAUSES[delivery.attempts - 1]
    delivery.save(update_fields=["problem", "state", "not_before"])
    log.warning(
        "a message was not delivered",
        channel=delivery.channel.name, attempts=delivery.attempts, problem=delivery.problem, gives_up=is_last,
    )  # fmt: skip


def forget_old(now: datetime.datetime) -> int:
    """Announcements with their deliveries, a year and a month after they were made; how many rows went."""
    return Announcement.objects.filter(made_at__lt=now - KEPT).delete()[0]
