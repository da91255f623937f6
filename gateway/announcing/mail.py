"""A message by mail, through the channel's own SMTP server; its address is checked like that of a webhook."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from django.conf import settings

from gateway.announcing.message import Message, mail_text
from gateway.announcing.webhook import NotSent
from gateway.models import AlertChannel
from gateway.upstream.addresses import public_reach
from gateway.upstream.posting import SECONDS


def send_mail(channel: AlertChannel, message: Message, password: str) -> None:
    """Returns when the server has taken it for every recipient. Raises NotSent."""
    try:
        with connected(channel) as server:
            if channel.smtp_security == AlertChannel.Security.STARTTLS:
                server.starttls(context=ssl.create_default_context())
            if channel.smtp_user:
                server.login(channel.smtp_user, password)
            refused = server.send_message(mail_of(channel, message))
    except smtplib.SMTPRecipientsRefused as problem:
        raise NotSent(f"the server refuses {', '.join(sorted(problem.recipients))}") from problem
    except smtplib.SMTPAuthenticationError as problem:
        raise NotSent(f"the server does not let {channel.smtp_user} in: {problem.smtp_code}") from problem
    except (OSError, smtplib.SMTPException, ValueError) as problem:
        raise NotSent(str(problem) or type(problem).__name__) from problem
    if refused:
        raise NotSent(f"the server refuses {', '.join(sorted(refused))}")


def mail_of(channel: AlertChannel, message: Message) -> EmailMessage:
    """The same announcement has the same Message-ID, by which a second copy is known as one."""
    mail = EmailMessage()
    over = message.is_over
    mail["Subject"] = f"[Turnlog {'over' if over else message.severity}] {message.title}"
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.recipients)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.uid}@{channel.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(mail_text(message))
    return mail


def connected(channel: AlertChannel) -> smtplib.SMTP:
    if channel.smtp_security == AlertChannel.Security.TLS:
        context = ssl.create_default_context()
        return CheckedTLS(channel.smtp_host, channel.smtp_port, timeout=SECONDS, context=context)
    return Checked(channel.smtp_host, channel.smtp_port, timeout=SECONDS)


class Checked(smtplib.SMTP):
    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return checked_socket(host, port, timeout)


class CheckedTLS(smtplib.SMTP_SSL):
    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return self.context.wrap_socket(checked_socket(host, port, timeout), server_hostname=host)


def checked_socket(host: str, port: int, timeout: float) -> socket.socket:
    """To the first of the host's addresses that takes it, of those that may be called. Raises OSError."""
    reach = public_reach(settings.TURNLOG)
    problem: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        refusal = reach.refusal(host, str(place[0]))
        if refusal is not None:
            problem = OSError(refusal)
            continue
        made = socket.socket(family, kind, protocol)
        made.settimeout(timeout)
        try:
            made.connect(place)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem
