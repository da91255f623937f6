"""What lists and tables in JSON columns may hold; the forms and the configuration file share these."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from gateway.dialects.names import Dialect

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NEVER_ADDED = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "te", "upgrade"})
FAILURE = re.compile(r"[45]\d\d|[45]xx|connect|timeout|broken")


def check_texts(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValidationError('A list of texts is needed, such as ["one", "two"].')


def check_networks(value: Any) -> None:
    check_texts(value)
    for item in value:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            raise ValidationError(f"{item} is no network; write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32.") from None


def check_dialects(value: Any) -> None:
    check_texts(value)
    unknown = set(value) - set(Dialect)
    if unknown:
        raise ValidationError(f"{', '.join(sorted(unknown))}: each is one of {', '.join(Dialect)}.")


def check_failures(value: Any) -> None:
    """Statuses, whole classes of them, and kinds of failures without an answer."""
    check_texts(value)
    wrong = [item for item in value if not FAILURE.fullmatch(item)]
    if wrong:
        raise ValidationError(f"{', '.join(wrong)}: each is a status such as 529, 5xx, connect, timeout or broken.")


def check_header_table(value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValidationError('Names and values are needed, such as {"x-team": "search"}.')
    for name, text in value.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValidationError(f"{name!r} is no name of a header.")
        if not text.isprintable() or not text.isascii():
            raise ValidationError(f"The value of {name} must be printable ASCII.")


def check_extra_headers(value: Any) -> None:
    check_header_table(value)
    framing = NEVER_ADDED & {name.lower() for name in value}
    if framing:
        raise ValidationError(f"{', '.join(sorted(framing))} belongs to the framing of the request.")


def check_proxy_address(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https", "socks5") or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ValidationError(
            "A proxy is written as http://host:3128, https://host:3129 or socks5://host:1080; its user stands apart."
        )


def check_http_address(value: str) -> None:
    try:
        split = urlsplit(value)
        is_address = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
    except ValueError:
        is_address = False
    if not is_address or any(character <= " " for character in value):
        raise ValidationError("An address is needed, such as https://gateway.example.com or http://10.0.0.7:8787.")


def check_region_table(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError('A table is needed, such as {"eu": ["us"]}.')
    for regions in value.values():
        check_texts(regions)
