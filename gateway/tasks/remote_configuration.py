"""A configuration file kept elsewhere: fetched, and applied when it changed. The last good one stays in force."""

from __future__ import annotations

import logging
import time
import urllib.request

from celery import shared_task
from django.core.cache import cache

from gateway.configuration.applying import apply_document
from gateway.configuration.document import read_document
from gateway.configuration.revisions import revision
from gateway.models import GatewaySettings

log = logging.getLogger(__name__)

FETCH_SECONDS = 10.0
LARGEST = 16 * 1024 * 1024
CHECKED = "remote-configuration-checked"


@shared_task(name="gateway.tasks.remote_configuration.fetch", ignore_result=True)
def fetch() -> None:
    settings = GatewaySettings.objects.first()
    if settings is None or not settings.remote_url:
        return
    if time.time() - (cache.get(CHECKED) or 0.0) < settings.remote_interval:
        return
    cache.set(CHECKED, time.time(), None)
    apply_remote(settings.remote_url)


def apply_remote(url: str) -> int:
    """How many changes it made; what cannot be fetched or used makes none and is told in the log."""
    try:
        text = fetch_text(url)
        with revision(author_name="remote configuration", note=url):
            changes = apply_document(read_document(text)).changes
    except (OSError, ValueError) as error:
        log.error("the configuration at %s changes nothing: %s", url, str(error).split("\n")[0])
        return 0
    for change in changes:
        log.info("remote configuration: %s", change)
    return len(changes)


def fetch_text(url: str) -> str:
    """Raises OSError and ValueError."""
    if not url.startswith(("https://", "http://")):
        raise ValueError("its address needs to begin with https:// or http://")
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 (checked above)
        data: bytes = answer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    return data.decode("utf-8")
