"""TLS on our own listener: what `web` shows its callers, and whose certificates it takes from them."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path

MINIMUM = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

log = logging.getLogger(__name__)


class WrongCertificate(ValueError):
    """A file holds no certificate or key that can be used; the message says which and why."""


@dataclass(slots=True)
class ListenerTls:
    """`key` may be None when the certificate's file holds the key, too. With `client_ca` every caller must show a
    certificate that one of those authorities signed."""

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None
    minimum: str = "1.2"
    context: ssl.SSLContext = field(init=False)
    _seen: tuple[float, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Raises WrongCertificate."""
        self._seen = self._changed_at()
        self.context = self._made()

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = MINIMUM[self.minimum]
        context.set_alpn_protocols(["http/1.1"])
        self._load(context)
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self.client_ca)
            except OSError as error:
                raise WrongCertificate(f"{self.client_ca} holds no certificates to check callers by: {error}") from None
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            # Asked for a password a key that has one would hold the process up at the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except OSError as error:
            where = self.certificate if self.key is None else f"{self.certificate} and {self.key}"
            raise WrongCertificate(f"{where} cannot be used as certificate and key: {error}") from None

    def _changed_at(self) -> tuple[float, ...]:
        return tuple(file.stat().st_mtime for file in (self.certificate, self.key) if file is not None)

    def renew(self) -> None:
        """Show a certificate that was put in the place of the present one to whoever connects from now on. One that
        cannot be used changes nothing and is said in the log."""
        try:
            seen = self._changed_at()
            if seen == self._seen:
                return
            self._seen = seen
            self._made()  # half a renewal must not reach the context in use
            self._load(self.context)
        except (OSError, WrongCertificate) as problem:
            log.error("the new certificate is not used: %s", problem)
        else:
            log.info("the new certificate of %s is in use", self.certificate)
