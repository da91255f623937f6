"""What waits in the outbox comes to real receivers, once, whatever goes wrong on the way."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.utils import timezone

from gateway.announcing.announce import announce
from gateway.announcing.delivering import LOCK, PAUSES, deliver_next, forget_old
from gateway.announcing.message import message_of, slack_body
from gateway.announcing.sending import try_channel
from gateway.announcing.webhook import key_of, signature
from gateway.configuration.channels import set_address
from gateway.configuration.sealing import seal
from gateway.models import AlertChannel, Announcement, Delivery, GatewaySettings
from gateway.models.session_lock import held
from tests.conftest import free_port
from tests.gateway.announcing.receiver import Receiver
from tests.gateway.upstream.certificates import make_certificate, server_side

pytestmark = pytest.mark.django_db


def hook(address: str, secret: str = "", **values: Any) -> AlertChannel:
    channel = AlertChannel(**{"name": "ops", "way": "webhook"} | values)
    set_address(channel, address)
    channel.secret_ciphertext = seal(secret) if secret else b""
    channel.save()
    return channel


def tell(key: str = "k", title: str = "Spool age 70 s") -> Announcement:
    made = announce("alert", "critical", title, "Is the loader running?", "/d/health/", key, "alpha", state="open")
    assert made is not None
    return made


def deliver_all() -> None:
    while deliver_next():
        pass


@pytest.mark.usefixtures("loopback_allowed")
class TestWebhook:
    def test_a_message_arrives_whole_and_signed(self, receiver: Receiver) -> None:
        GatewaySettings.objects.create(public_url="https://turnlog.example.com/")
        hook(receiver.url, "s3cret")
        made = tell()
        deliver_all()
        (got,) = receiver.got
        assert got.path == "/hook?token=abcdefghijklmnop"
        assert got.told == {
            "id": str(made.uid), "kind": "alert", "state": "open", "severity": "critical", "title": "Spool age 70 s",
            "text": "Is the loader running?", "link": "https://turnlog.example.com/d/health/", "team": "alpha",
            "at": made.made_at.isoformat(timespec="milliseconds"),
        }  # fmt: skip
        assert got.headers["idempotency-key"] == got.headers["webhook-id"] == str(made.uid)
        assert got.headers["content-type"] == "application/json"
        signed = f"{made.uid}.{got.headers['webhook-timestamp']}.".encode() + got.body
        digest = hmac.new(b"s3cret", signed, hashlib.sha256).digest()
        assert got.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts, delivery.problem) == ("sent", 1, "")
        assert delivery.sent_at is not None

    def test_without_a_secret_it_is_not_signed(self, receiver: Receiver) -> None:
        hook(receiver.url)
        tell()
        deliver_all()
        assert not [name for name in receiver.got[0].headers if name.startswith("webhook-")]

    def test_what_is_not_taken_is_sent_again_later_under_the_same_key(self, receiver: Receiver) -> None:
        receiver.statuses = [503, 200]
        hook(receiver.url)
        tell()
        deliver_all()
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts, delivery.problem) == ("waiting", 1, "it answered 503: ok")
        wait = delivery.not_before - timezone.now()
        assert PAUSES[0] - datetime.timedelta(seconds=5) < wait <= PAUSES[0]
        Delivery.objects.update(not_before=timezone.now())
        deliver_all()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts) == ("sent", 2)
        assert len({got.headers["idempotency-key"] for got in receiver.got}) == 1

    def test_it_is_given_up_at_last(self, receiver: Receiver) -> None:
        receiver.statuses = [500]
        hook(receiver.url)
        tell()
        for _ in range(len(PAUSES) + 2):
            Delivery.objects.update(not_before=timezone.now())
            deliver_all()
        assert Delivery.objects.get().state == "failed"
        assert len(receiver.got) == len(PAUSES) + 1

    def test_a_redirect_is_not_followed(self, receiver: Receiver) -> None:
        receiver.statuses, receiver.location = [302], receiver.url
        hook(receiver.url)
        tell()
        deliver_all()
        assert len(receiver.got) == 1
        assert "redirects are not followed" in Delivery.objects.get().problem

    def test_a_channel_that_is_switched_off_meanwhile_is_told_nothing(self, receiver: Receiver) -> None:
        hook(receiver.url)
        tell()
        AlertChannel.objects.update(enabled=False)
        deliver_all()
        assert receiver.got == []
        assert Delivery.objects.get().problem == "the channel is switched off"

    def test_slack_is_told_in_its_form(self, receiver: Receiver) -> None:
        hook(receiver.url, way="slack")
        tell(title="<!channel> & co: 5 %")
        deliver_all()
        told = receiver.got[0].told
        assert told["text"] == "[critical] &lt;!channel&gt; &amp; co: 5 %"
        (attachment,) = told["attachments"]
        assert attachment["color"] == "#dc2626"
        assert attachment["text"] == "Is the loader running?"
        assert {"title": "Team", "value": "alpha", "short": True} in attachment["fields"]

    def test_a_test_message_says_what_came_of_it(self, receiver: Receiver) -> None:
        channel = hook(receiver.url)
        assert try_channel(channel) == ""
        assert receiver.got[0].told["title"] == "A test of this channel"
        receiver.statuses = [404]
        assert try_channel(channel) == "it answered 404: ok"
        assert not Delivery.objects.exists()


def test_a_link_in_slack_leads_to_the_pages() -> None:
    GatewaySettings.objects.create(public_url="https://turnlog.example.com")
    told = json.loads(slack_body(message_of(tell())))
    assert told["attachments"][0]["title_link"] == "https://turnlog.example.com/d/health/"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://10.0.0.7/hook", "private"),
        ("http://127.0.0.1:{port}/hook", "private"),
        ("http://localhost:{port}/hook", "private"),
        ("http://2130706433:{port}/hook", "private"),
        ("http://[::1]:{port}/hook", "private"),
        ("http://[::ffff:127.0.0.1]:{port}/hook", "private"),
        ("http://0.0.0.0:{port}/hook", "unusable"),
        ("http://192.168.1.1/hook", "private"),
    ],
)
def test_a_webhook_does_not_reach_into_the_network(address: str, kind: str, receiver: Receiver) -> None:
    """Also a name that resolves there: the address is checked when it is connected to."""
    problem = try_channel(hook(address.format(port=receiver.port)))
    assert f"at the {kind} address" in problem
    assert "TURNLOG_UPSTREAM_ALLOW_HOSTS" in problem
    assert receiver.got == []


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "gopher://x/", "https://user:pw@example.com/", "x", "http://"]
)
def test_what_is_no_address_of_a_webhook_is_not_taken(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        set_address(AlertChannel(name="x", way="webhook"), address)


def test_the_key_in_an_address_is_not_shown() -> None:
    channel = hook("https://hooks.slack.com/services/T000/B000/abcdefghijklmnopXYZ9", way="slack")
    assert channel.address_hint == "https://hooks.slack.com/…XYZ9"
    assert b"hooks" not in bytes(channel.address_ciphertext)
    assert hook("https://h.example/abc", name="b").address_hint == "https://h.example/…"


def test_a_secret_of_standard_webhooks_is_base64() -> None:
    assert key_of("whsec_" + base64.b64encode(b"abc").decode()) == b"abc"
    assert key_of("whsec_!") == b"whsec_!"
    assert key_of("plain") == b"plain"
    assert signature("id", b"{}", "", 0) == []


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refuse = ""
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address == self.refuse:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def mailbox() -> Any:
    found = Mailbox()
    found.port = free_port()
    controller = Controller(found, hostname="127.0.0.1", port=found.port)
    controller.start()
    yield found
    controller.stop()


def mail_channel(mailbox: Any, **values: Any) -> AlertChannel:
    known = {
        "name": "mail", "way": "mail", "smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_security": "none",
        "sender": "turnlog@example.com", "recipients": ["ada@example.com", "grace@example.com"],
    }  # fmt: skip
    channel = AlertChannel(**known | values)
    channel.full_clean()
    channel.save()
    return channel


@pytest.mark.usefixtures("loopback_allowed")
class TestMail:
    def test_a_mail_arrives(self, mailbox: Any) -> None:
        mail_channel(mailbox)
        made = tell(title="Fünf\r\nBcc: eve@example.com")
        deliver_all()
        ((sender, recipients, text),) = mailbox.mails
        assert (sender, recipients) == ("turnlog@example.com", ["ada@example.com", "grace@example.com"])
        head, _, body = text.partition("\r\n\r\n")
        assert "Bcc:" not in [line[:4] for line in head.splitlines()]
        assert f"Message-ID: <{made.uid}@example.com>" in head
        assert "Is the loader running?" in body
        assert Delivery.objects.get().state == "sent"

    def test_a_refused_recipient_is_named(self, mailbox: Any) -> None:
        mailbox.refuse = "grace@example.com"
        assert try_channel(mail_channel(mailbox)) == "the server refuses grace@example.com"

    def test_it_does_not_send_in_clear_what_is_to_be_encrypted(self, mailbox: Any) -> None:
        assert "STARTTLS" in try_channel(mail_channel(mailbox, smtp_security="starttls"))
        assert mailbox.mails == []


@contextmanager
def mailbox_over_tls(security: str, pem: Path) -> Iterator[Mailbox]:
    """It takes nothing in clear."""
    found = Mailbox()
    found.port = free_port()
    context = server_side(pem)
    options = {"ssl_context": context} if security == "tls" else {"tls_context": context, "require_starttls": True}
    controller = Controller(found, hostname="127.0.0.1", port=found.port, **options)
    controller.start()
    try:
        yield found
    finally:
        controller.stop()


@pytest.mark.usefixtures("loopback_allowed")
@pytest.mark.parametrize("security", ["starttls", "tls"])
class TestMailOverTLS:
    def test_a_mail_arrives(self, security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pem = make_certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with mailbox_over_tls(security, pem) as mailbox:
            assert try_channel(mail_channel(mailbox, smtp_security=security)) == ""
        assert len(mailbox.mails) == 1

    def test_a_server_nobody_vouches_for_gets_nothing(self, security: str, tmp_path: Path) -> None:
        with mailbox_over_tls(security, make_certificate(tmp_path)) as mailbox:
            assert "certificate verify failed" in try_channel(mail_channel(mailbox, smtp_security=security))
        assert mailbox.mails == []

    def test_nor_does_one_of_another_name(self, security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pem = make_certificate(tmp_path, host="mail.example.com")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with mailbox_over_tls(security, pem) as mailbox:
            assert "certificate verify failed" in try_channel(mail_channel(mailbox, smtp_security=security))
        assert mailbox.mails == []


def test_a_mail_server_in_the_network_must_be_allowed(mailbox: Any) -> None:
    assert "at the private address 127.0.0.1" in try_channel(mail_channel(mailbox))
    assert mailbox.mails == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("loopback_allowed")
def test_two_workers_do_not_send_the_same(receiver: Receiver) -> None:
    """While one holds it, as long as its session lives, the other passes it over."""
    hook(receiver.url)
    tell()
    pk = Delivery.objects.get().pk

    holding, done = threading.Event(), threading.Event()

    def other() -> None:
        with held(LOCK, pk):
            holding.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert holding.wait(10)
    assert not deliver_next()
    assert receiver.got == []
    done.set()
    thread.join(10)
    assert deliver_next()
    assert len(receiver.got) == 1


def test_old_messages_are_forgotten() -> None:
    hook("https://example.com/x")
    tell("old")
    Announcement.objects.update(made_at=timezone.now() - datetime.timedelta(days=401))
    tell("new")
    assert forget_old(timezone.now()) == 2
    assert [row.dedup_key for row in Announcement.objects.all()] == ["new"]
