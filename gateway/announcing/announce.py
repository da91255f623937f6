"""What people are to be told goes through here, whoever found it out.

`announce` writes rows and sends nothing: it belongs in the transaction of what is told, so that both are there or
neither. A worker sends it within seconds (`delivering.py`).
"""

from __future__ import annotations

from django.db import transaction

from gateway.models import Alert, AlertChannel, Announcement, Delivery
from gateway.policy.alerting import RANKS

LONGEST_KEY = 300
LONGEST_TITLE = 300
LONGEST_TEXT = 4_000


def announce(
    kind: str,
    severity: str,
    title: str,
    text: str = "",
    link: str = "",
    dedup_key: str = "",
    team: str | None = None,
    *,
    state: str = Announcement.State.HAPPENED,
    channels: list[str] | None = None,
    alert: Alert | None = None,
) -> Announcement | None:
    """Tell every channel that wants it, once for each `dedup_key` of at most 300 characters; None: it was told before.

    `kind` is alert, budget or finding, `severity` info, warning or critical. `title` is one line, `text` plain. `link`
    is a path of ours, such as /d/requests/?team=alpha. `team`: whom it is about; None: nobody. `channels`: only these,
    by name; None or empty: all. None of it may hold what a prompt or a secret said.
    """
    if not dedup_key or len(dedup_key) > LONGEST_KEY:
        raise ValueError(f"an announcement needs a key of 1 to {LONGEST_KEY} characters")
    values = {
        "kind": kind,
        "severity": severity,
        "title": " ".join(clean(title).split())[:LONGEST_TITLE],
        "text": clean(text)[:LONGEST_TEXT],
        "link": clean(link),
        "team": team or "",
        "state": state,
        "alert": alert,
    }
    with transaction.atomic():
        made, is_new = Announcement.objects.get_or_create(dedup_key=dedup_key, defaults=values)
        if not is_new:
            return None
        wanted = [channel for channel in AlertChannel.objects.filter(enabled=True) if wants(channel, made, channels)]
        Delivery.objects.bulk_create(Delivery(announcement=made, channel=channel) for channel in wanted)
    return made


def wants(channel: AlertChannel, made: Announcement, names: list[str] | None) -> bool:
    return (
        (not names or channel.name in names)
        and RANKS[made.severity] >= RANKS[channel.minimum_severity]
        and (not channel.kinds or made.kind in channel.kinds)
        and (not channel.teams or made.team in channel.teams)
    )


def clean(text: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return text.replace("\0", "")
