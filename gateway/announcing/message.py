"""What a channel is sent: the announcement as values, and its two forms in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.models import Announcement, GatewaySettings

COLOURS: Final = {"info": "#3b82f6", "warning": "#d97706", "critical": "#dc2626"}
OVER: Final = "#16a34a"


@dataclass(frozen=True, slots=True)
class Message:
    """`link` is a whole address, or a path where nobody said at which address people reach us."""

    uid: str
    kind: str
    state: str
    severity: str
    title: str
    text: str
    link: str
    team: str
    at: datetime

    @property
    def is_over(self) -> bool:
        return self.state == Announcement.State.RESOLVED


def message_of(made: Announcement) -> Message:
    return Message(
        uid=str(made.uid),
        kind=made.kind,
        state=made.state,
        severity=made.severity,
        title=made.title,
        text=made.text,
        link=whole_link(made.link),
        team=made.team,
        at=made.made_at,
    )


def whole_link(link: str) -> str:
    if not link.startswith("/"):
        return link
    settings = GatewaySettings.objects.first()
    return (settings.public_url.rstrip("/") if settings is not None else "") + link


def webhook_body(message: Message) -> bytes:
    told = {
        "id": message.uid,
        "kind": message.kind,
        "state": message.state,
        "severity": message.severity,
        "title": message.title,
        "text": message.text,
        "link": message.link,
        "team": message.team,
        "at": message.at.isoformat(timespec="milliseconds"),
    }
    return json.dumps(told, ensure_ascii=False).encode()


def slack_body(message: Message) -> bytes:
    """For Slack's incoming webhooks and those who took them over. Names of teams, models and limits come from people:
    nothing in them is markup."""
    title = escaped(message.title)
    attachment: dict[str, Any] = {
        "color": OVER if message.is_over else COLOURS[message.severity],
        "fallback": title,
        "title": title,
        "text": escaped(message.text),
        "footer": "Turnlog",
        "ts": int(message.at.timestamp()),
        "fields": [{"title": "Severity", "value": message.severity, "short": True}],
        "mrkdwn_in": [],
    }
    if message.link.startswith("http"):
        attachment["title_link"] = message.link
    if message.team:
        attachment["fields"].append({"title": "Team", "value": escaped(message.team), "short": True})
    said = "over" if message.is_over else message.severity
    return json.dumps({"text": f"[{said}] {title}", "attachments": [attachment]}, ensure_ascii=False).encode()


def escaped(text: str) -> str:
    """Slack's own three; so that nobody is called with <!channel>."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mail_text(message: Message) -> str:
    lines = [message.text, "", f"Severity: {message.severity}"]
    lines += [f"Team: {message.team}"] if message.team else []
    lines += [f"At: {message.at:%Y-%m-%d %H:%M:%S} UTC"]
    lines += ["", message.link] if message.link else []
    return "\n".join(lines) + "\n"
