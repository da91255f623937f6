"""Which transport a provider's settings ask for."""

from __future__ import annotations

import ssl

from gateway.policy.reach import Reach
from gateway.policy.transport import TransportSettings
from gateway.upstream.client import httpx
from gateway.upstream.dialling import default_tls
from gateway.upstream.http2 import Http2Transport
from gateway.upstream.pool import IDLE_SECONDS
from gateway.upstream.proxying import Proxies
from gateway.upstream.wire import WireTransport

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def build_transport(reach: Reach, settings: TransportSettings | None = None) -> httpx.AsyncBaseTransport:
    if settings is None:
        return WireTransport(reach=reach)
    kind = Http2Transport if settings.http2 else WireTransport
    return kind(
        idle_seconds=settings.pool_idle_seconds or IDLE_SECONDS,
        reach=reach,
        make_tls=lambda: tls_of(settings),
        life_seconds=settings.pool_life_seconds,
        size=settings.pool_size,
        proxies=Proxies(settings.proxies, settings.proxy_choice) if settings.proxies else None,
    )


def tls_of(settings: TransportSettings) -> ssl.SSLContext:
    """Raises OSError when a file it names cannot be used."""
    context = default_tls(settings.ca_file)
    if settings.tls_minimum:
        context.minimum_version = TLS_VERSIONS[settings.tls_minimum]
    if settings.client_certificate_file:
        context.load_cert_chain(settings.client_certificate_file, settings.client_key_file or None)
    return context
