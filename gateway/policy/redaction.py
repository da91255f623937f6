"""Secrets never reach the spool: their values are replaced by a fingerprint before a header or a query is recorded.

A value is secret by its name or by its looks, and in doubt it is (an unreadable harmless value costs little, a readable
key costs a key). A fingerprint is `fp:` and the first 16 hex digits of HMAC-SHA256(pepper, value): equal secrets stay
recognisable as equal, nobody without the pepper can test a guess. The scheme of an authorization (`Bearer`) is kept.

Names that are decided once are cached, and so are pairs seen to be harmless (clients repeat theirs on every request);
secret values are kept nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from gateway.policy.keyed_digest import KeyedDigest

SECRET_WORDS = (
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "csrf",
    "jwt",
    "key",
    "passwd",
    "password",
    "secret",
    "signature",
    "token",
)
SEGMENTS = re.compile(r"[^a-z0-9]+")
SCHEME = re.compile(rb"(?i)(bearer|basic|token|digest|negotiate)(\s+)(?=\S)")

KEY_SHAPES = re.compile(
    rb"(?<![A-Za-z0-9])(?:"
    rb"(?:sk|rk|pk|tl)[-_][A-Za-z0-9_-]{8,}"  # Anthropic, OpenAI, Stripe and those who follow them; our own
    rb"|gh[opsur]_[A-Za-z0-9]{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}"
    rb"|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}"
    rb"|A[KS]IA[0-9A-Z]{12,}"
    rb"|AIza[\w-]{20,}|ya29\.[\w-]{8,}"
    rb"|(?:hf|gsk|npm|xai|pypi|dop_v1|key|token)[-_][A-Za-z0-9_-]{20,}"
    rb"|eyJ[\w-]{8,}\.[\w-]{4,}"
    rb"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY"
    rb")"
    rb"|://[^/\s@]+:[^/\s@]+@"
)
LONG_RUN = re.compile(rb"[A-Za-z0-9+/_=-]{32,}")
UNBROKEN_RUN = re.compile(rb"[A-Za-z0-9]{48,}")
UPPER, LOWER, DIGIT = (re.compile(pattern) for pattern in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))
SHORTEST_KEY = 9
CACHE_BOUND = 4096
CACHED_VALUE_BOUND = 1024


def is_secret_name(name: str) -> bool:
    """True when a segment of the header's or parameter's name is, or ends in, a word for secrets (`apikey` too)."""
    return any(segment.endswith(SECRET_WORDS) for segment in SEGMENTS.split(name.lower()))


def looks_like_key(value: bytes) -> bool:
    """True for the known shapes of keys and for long random text; ids (UUIDs, `req_…`, trace ids) are left alone."""
    if len(value) < SHORTEST_KEY:
        return False
    return bool(KEY_SHAPES.search(value)) or any(is_random(run) for run in LONG_RUN.findall(value))


def is_random(run: bytes) -> bool:
    """Long text without a break, or long text that mixes digits and both cases of letters as only random text does."""
    if UNBROKEN_RUN.search(run):
        return True
    mixed = all(pattern.search(run) for pattern in (UPPER, LOWER, DIGIT))
    return mixed and len(set(run)) >= 18


class Redactor:
    """Replaces secrets in header pairs and queries. One for each process; not shared between threads."""

    def __init__(self, pepper: bytes) -> None:
        if not pepper:
            raise ValueError("a redactor needs a pepper")
        self._digest = KeyedDigest(pepper)
        self._secret_names: dict[bytes, bool] = {}
        self._harmless: set[tuple[bytes, bytes]] = set()

    def fingerprint(self, value: bytes) -> bytes:
        return b"fp:" + self._digest(value).hex()[:16].encode()

    def headers(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The pairs in their order, names untouched, secret values replaced."""
        harmless = self._harmless
        return [pair if pair in harmless else self._header(*pair) for pair in pairs]

    def query(self, query: str) -> str:
        """The raw query string (latin-1) with the values of secret parameters replaced, all else untouched."""
        if "=" not in query:
            return self._whole(query)
        return "&".join(self._parameter(part) for part in query.split("&"))

    def _header(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if self._is_secret_name(name):
            return name, self._replaced(value)
        if looks_like_key(value):
            return name, self._replaced(value)
        if b"?" in value and b"=" in value:
            value = self._linked(value)
        self._remember(name, value)
        return name, value

    def _remember(self, name: bytes, value: bytes) -> None:
        if len(value) > CACHED_VALUE_BOUND:
            return
        if len(self._harmless) >= CACHE_BOUND:
            self._harmless.clear()
        self._harmless.add((name, value))

    def _is_secret_name(self, name: bytes) -> bool:
        known = self._secret_names.get(name)
        if known is None:
            if len(self._secret_names) >= CACHE_BOUND:
                self._secret_names.clear()
            known = self._secret_names[name] = is_secret_name(name.decode("latin-1"))
        return known

    def _replaced(self, value: bytes) -> bytes:
        scheme = SCHEME.match(value)
        if scheme is None:
            return self.fingerprint(value)
        return scheme[0] + self.fingerprint(value[scheme.end() :])

    def _linked(self, value: bytes) -> bytes:
        """A header that carries an address (`referer`, `location`): its query is treated like our own."""
        address, _, query = value.partition(b"?")
        return address + b"?" + self.query(query.decode("latin-1")).encode("latin-1")

    def _parameter(self, part: str) -> str:
        name, equals, value = part.partition("=")
        if not equals:
            return self._whole(part)
        if not value:
            return part
        clear_name = unquote_to_bytes(name).decode("latin-1")
        clear_value = unquote_to_bytes(value.encode("latin-1"))
        if is_secret_name(clear_name) or looks_like_key(clear_value):
            return f"{name}={self.fingerprint(clear_value).decode()}"
        return part

    def _whole(self, text: str) -> str:
        raw = unquote_to_bytes(text.encode("latin-1"))
        return self.fingerprint(raw).decode() if looks_like_key(raw) else text
