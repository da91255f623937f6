"""One web process: the gateway, and the pages where the role is on."""

from __future__ import annotations

import gc
import socket
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from gateway.api.descriptors import raise_limit
from gateway.api.large_pages import collapse
from gateway.api.memory import return_large_blocks
from gateway.api.runtime import process_runtime
from gateway.api.server import GatewayServer, addresses_of, listening_sockets, server_config
from gateway.api.tls import ListenerTls, WrongCertificate
from gateway.configuration.access_file import WrongAccessFile
from gateway.configuration.building import keyed_by_environment
from gateway.models import ApiKey

LOOPBACK = ("127.", "[::1]:")
COLLECT_AFTER = (10_000, 20, 20)
"""New objects before the youngest are looked at by the garbage collector, and how many of its rounds make one of the
next generation's."""


class Command(BaseCommand):
    help = "Serve the gateway and the pages. SIGTERM or Ctrl-C drains; a second one ends at once."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        environment = settings.TURNLOG
        parser.add_argument("--host", default=environment.host, help="address to listen on (default: TURNLOG_HOST)")
        parser.add_argument(
            "--port", type=int, default=environment.port, help="port to listen on, 0 for a free one (TURNLOG_PORT)"
        )
        parser.add_argument("--fd", type=int, help="a listening socket inherited under this number, instead")
        parser.add_argument(
            "--reuse-port",
            action="store_true",
            default=environment.web_processes > 1,
            help="share the port with other processes (default: when TURNLOG_WEB_PROCESSES is above 1)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            listeners = listening_sockets(
                options["host"], options["port"], reuse_port=options["reuse_port"], descriptor=options["fd"]
            )
        except OSError as error:
            raise CommandError(f"cannot listen on {options['host']}:{options['port']}: {error.strerror}") from None
        refuse_open_mode(listeners)
        serve(listeners, announce=options["fd"] is None)


def serve(listeners: list[socket.socket], *, announce: bool) -> None:
    environment = settings.TURNLOG
    runtime = process_runtime()
    try:
        runtime.configuration.access_file.load()
    except WrongAccessFile as error:
        raise CommandError(f"TURNLOG_ACCESS_KEYS_FILE {error}") from None
    tls = listener_tls()
    raise_limit()
    return_large_blocks()
    config = server_config(import_string(settings.ASGI_APPLICATION))
    server = GatewayServer(
        config,
        runtime,
        drain_grace=environment.drain_grace,
        drain_seconds=environment.drain_seconds,
        announce=announce,
        tls=tls,
    )
    # What is loaded by now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    collapse()
    # A request makes some hundred objects that go by themselves: looking for rings after every third is waste.
    gc.set_threshold(*COLLECT_AFTER)
    server.run(sockets=listeners)


def listener_tls() -> ListenerTls | None:
    environment = settings.TURNLOG
    if environment.tls_certificate_file is None:
        return None
    try:
        return ListenerTls(
            environment.tls_certificate_file,
            environment.tls_key_file,
            environment.tls_client_ca_file,
            environment.tls_minimum,
        )
    except WrongCertificate as error:
        raise CommandError(f"TURNLOG_TLS_...: {error}") from None


def refuse_open_mode(listeners: Sequence[socket.socket]) -> None:
    """Open mode relays for whoever can connect: on an address others can reach it must be asked for."""
    if "gateway" not in settings.TURNLOG.roles:
        return
    reachable = [name for name in addresses_of(listeners) if not name.startswith(LOOPBACK)]
    if not reachable or settings.TURNLOG.allow_open or keyed_by_environment() or keyed_by_rows():
        return
    raise CommandError(
        f"Refusing to serve without access keys on {reachable[0]}, which others may reach. Set "
        "TURNLOG_ACCESS_KEYS_FILE, or make keys in the admin, or listen on 127.0.0.1; TURNLOG_ALLOW_OPEN=1 allows it "
        "all the same."
    )


def keyed_by_rows() -> bool:
    try:
        return ApiKey.objects.exists()
    except Exception as error:
        raise CommandError(f"cannot tell whether access keys exist, the database says: {error}") from None
