"""How this machine's commands and pages reach the running gateway: its address on loopback, and its own TLS."""

from __future__ import annotations

import ssl

from django.conf import settings


def own_address() -> str:
    """Without a path."""
    return f"{'https' if settings.TURNLOG.speaks_tls else 'http'}://127.0.0.1:{settings.TURNLOG.port}"


def own_tls() -> ssl.SSLContext | bool:
    """What to check the gateway by, as httpx takes it: it must show the very certificate it was given, for whatever
    names that was made; ours is shown to it in turn."""
    environment = settings.TURNLOG
    certificate = environment.tls_certificate_file
    if certificate is None:
        return True
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_cert_chain(certificate, environment.tls_key_file, password=lambda: "")
    return context
