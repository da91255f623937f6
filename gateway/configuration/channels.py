"""A channel's address and secret on their way into the database: encrypted, with what may be shown of them."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from gateway.configuration.sealing import seal, unseal
from gateway.models import AlertChannel
from gateway.models.validators import check_http_address

LONGEST_SHOWN = 16


def set_address(channel: AlertChannel, address: str) -> bool:
    """Put it into the row, which is not saved; whether it is another. Raises ValueError."""
    check_address(address)
    if channel.address_ciphertext and unseal(bytes(channel.address_ciphertext)) == address:
        return False
    channel.address_ciphertext = seal(address)
    channel.address_hint = hint_of(address)
    return True


def check_address(address: str) -> None:
    """Raises ValueError."""
    try:
        check_http_address(address)
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from None
    split = urlsplit(address)
    if not address.isascii() or split.username or split.password:
        raise ValueError("An address of ASCII without a user is needed; keys belong into its path or query.")


def hint_of(address: str) -> str:
    """Of an address what may be shown: its path and query may be all that keeps others from using it."""
    split = urlsplit(address)
    shown = f"{split.scheme}://{split.netloc}"
    return f"{shown}/…{address[-4:]}" if len(address) > len(shown) + LONGEST_SHOWN else f"{shown}/…"
