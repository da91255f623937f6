"""The exact bytes of one direction: as a download that no browser runs, and as a bounded preview."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import msgspec
from django.http import HttpResponse

from gateway.dialects.content import decode_body
from gateway.history.packing import Damaged
from gateway.history.store import NotInHistory, rebuild_request, rebuild_response
from gateway.history.translated import rebuild_asked, rebuild_got

PREVIEWED = 200_000
DUMPED = 32_768
FORMS = ("pretty", "raw", "hex")
PRINTED = bytes(code if 32 <= code < 127 else ord(".") for code in range(256))
DECODED = 32_000_000
REBUILDERS: dict[str, Callable[[UUID], bytes]] = {
    "request": rebuild_request,
    "response": rebuild_response,
    "asked": rebuild_asked,
    "got": rebuild_got,
}
TITLES = {"asked": "What the provider was asked", "got": "What the caller got"}


@dataclass(frozen=True, slots=True)
class KeptBody:
    """The bytes as they were recorded, or what is wrong with those that are stored."""

    body: bytes
    damage: str = ""


@dataclass(frozen=True, slots=True)
class RawPart:
    """What the page says of one direction's bytes. `preview` is at most PREVIEWED characters."""

    name: str
    title: str
    kept: bool = False
    size: int = 0
    sha256: str = ""
    content_type: str = ""
    encoding: str = ""
    preview: str = ""
    cut: bool = False
    damage: str = ""


def raw_response(request_id: UUID, part: str) -> HttpResponse | None:
    """The bytes as an attachment of plain text, whatever they are; None when there is no such part."""
    data = read_body(request_id, part) if part in REBUILDERS else None
    if data is None or data.damage:
        return None
    response = HttpResponse(data.body, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="turnlog-{request_id}-{part}.txt"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def read_body(request_id: UUID, part: str) -> KeptBody | None:
    """One direction's bytes, or why they cannot be had; None when there is no such request."""
    try:
        return KeptBody(REBUILDERS[part](request_id))
    except NotInHistory:
        return None
    except Damaged as damage:
        return KeptBody(b"", str(damage))


def describe_part(name: str, kept: KeptBody | None, content_type: str, encoding: str, form: str = "pretty") -> RawPart:
    """What was kept of one direction, and a preview of it in one of FORMS."""
    title = TITLES.get(name) or f"{name.capitalize()} bytes"
    if kept is None or kept.damage or not kept.body:
        return RawPart(name, title, damage=kept.damage if kept else "")
    text, cut = preview(kept.body, encoding, form)
    digest = hashlib.sha256(kept.body).hexdigest()
    return RawPart(name, title, True, len(kept.body), digest, content_type, encoding, text, cut)


def decoded(body: bytes, encoding: str) -> bytes:
    """The body without its content coding, as far as that can be undone within the bound of what a page reads."""
    return decode_body(encoding, body, DECODED).data if encoding else body


def preview(body: bytes, encoding: str, form: str) -> tuple[str, bool]:
    """(text, whether it was cut). `hex` is of the bytes as they came, the others of the decoded body."""
    if form == "hex":
        return hex_dump(body[:DUMPED]), len(body) > DUMPED
    plain = decoded(body, encoding)
    bounded = len(plain) <= PREVIEWED * 4
    text = indented(plain) if form == "pretty" and bounded else ""
    shown = text or plain[: PREVIEWED * 4].decode("utf-8", "replace")
    return shown[:PREVIEWED], len(shown) > PREVIEWED or not bounded


def indented(body: bytes) -> str:
    """JSON, indented; empty for what is none."""
    try:
        return msgspec.json.format(body, indent=2).decode("utf-8", "replace")
    except (msgspec.DecodeError, RecursionError):
        return ""


def hex_dump(body: bytes) -> str:
    """Sixteen bytes to a line: place, bytes, and the characters of ASCII among them."""
    return "\n".join(
        f"{at:08x}  {body[at : at + 16].hex(' '):47}  {body[at : at + 16].translate(PRINTED).decode('ascii')}"
        for at in range(0, len(body), 16)
    )
