"""A configuration file kept elsewhere: polled, applied when it changed, and without effect when it is no good."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.cache import cache

from gateway.models import ConfigurationRevision, GatewaySettings, Team
from gateway.tasks import remote_configuration
from gateway.tasks.remote_configuration import CHECKED, apply_remote, fetch

pytestmark = pytest.mark.django_db
GOOD = "teams:\n  - {name: search}\n"


class Source(ThreadingHTTPServer):
    """Where the file lies; `asked` counts how often it was fetched."""

    status, text, asked = 200, GOOD, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/turnlog.yaml"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        source = self.server
        assert isinstance(source, Source)
        source.asked += 1
        body = source.text.encode("utf-8", "surrogateescape")
        self.send_response(source.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def source() -> Iterator[Source]:
    with Source(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def teams() -> list[str]:
    return sorted(Team.objects.values_list("name", flat=True))


def test_it_is_applied_with_the_source_as_its_author_and_again_only_when_it_changed(source: Source) -> None:
    assert apply_remote(source.url) == 1
    assert teams() == ["search"]
    revision = ConfigurationRevision.objects.latest("pk")
    assert (revision.author_name, revision.note) == ("remote configuration", source.url)
    assert apply_remote(source.url) == 0
    assert ConfigurationRevision.objects.latest("pk") == revision
    source.text = GOOD + "  - {name: web}\n"
    assert apply_remote(source.url) == 1
    assert teams() == ["search", "web"]


BAD = {
    "no YAML": (200, "teams: [\n"),
    "an unknown field": (200, "teams:\n  - {name: web, colour: red}\n"),
    "a value that is none": (200, "teams:\n  - {name: web}\nproviders:\n  - {name: p, dialect: klingon}\n"),
    "a page of errors": (503, "<html>down</html>"),
    "no text": (200, "\udcff\udcfe"),
}


@pytest.mark.parametrize(("status", "text"), BAD.values(), ids=BAD)
def test_what_is_no_good_changes_nothing(
    source: Source, status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    apply_remote(source.url)
    before = ConfigurationRevision.objects.latest("pk")
    source.status, source.text = status, text
    assert apply_remote(source.url) == 0
    assert teams() == ["search"]
    assert ConfigurationRevision.objects.latest("pk") == before
    assert f"the configuration at {source.url} changes nothing" in caplog.text
    source.status, source.text = 200, GOOD + "  - {name: web}\n"
    assert apply_remote(source.url) == 1


def test_a_source_that_is_gone_or_of_another_kind_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert apply_remote("http://127.0.0.1:1/turnlog.yaml") == 0
    assert apply_remote("file:///etc/passwd") == 0
    assert "needs to begin with https:// or http://" in caplog.text


def test_it_is_polled_as_often_as_it_says(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.delete(CHECKED)
    moment = [1_000_000.0]
    monkeypatch.setattr(remote_configuration.time, "time", lambda: moment[0])
    fetch()
    assert source.asked == 0  # nothing is set
    GatewaySettings.objects.update_or_create(pk=1, defaults={"remote_url": source.url, "remote_interval": 60})
    for passed, asked in ((0, 1), (59, 1), (2, 2), (1, 2), (60, 3)):
        moment[0] += passed
        fetch()
        assert source.asked == asked
    cache.delete(CHECKED)
