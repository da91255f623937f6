"""The address of a provider, brought into the one form the relay uses."""

from __future__ import annotations

from urllib.parse import urlsplit


def normal_address(text: str) -> str:
    """Origin and path prefix without a trailing slash and without a trailing `/v1`; ValueError says what is needed."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("An address needs the form https://api.anthropic.com, with a path prefix if there is one.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("An address must not hold a user name, a password, a query or a fragment.")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("An address needs a port between 0 and 65535.") from None
    if any(ord(character) <= 32 or ord(character) > 126 for character in parts.geturl()):
        raise ValueError("An address must be plain ASCII without spaces.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1').rstrip('/')}"
