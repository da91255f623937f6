"""How the gateway speaks to a provider: outbound proxies, and the columns of `Provider` about connections."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from gateway.models.validators import check_proxy_address, check_texts
from gateway.policy.transport import ProxyChoice

NAME_VALIDATOR = RegexValidator(
    r"^[a-z0-9][a-z0-9._-]*$", "Use lower-case letters, digits, dots, underscores and hyphens."
)
ABOVE_ZERO = [MinValueValidator(0.01)]
TLS_VERSIONS = [("", "the default (1.2)"), ("1.2", "1.2"), ("1.3", "1.3")]


class OutboundProxy(models.Model):
    """A proxy through which providers are reached. Its password is kept encrypted and never shown."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    address = models.CharField(
        max_length=500, validators=[check_proxy_address], help_text="http://, https:// or socks5://, host and port"
    )
    username = models.CharField(max_length=200, blank=True)
    ciphertext = models.BinaryField(editable=False, blank=True, default=b"", help_text="the password, encrypted")
    bypass = models.JSONField(
        default=list,
        blank=True,
        validators=[check_texts],
        help_text="Hosts called directly; .example.com: all below",
    )
    ca_file = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="Authorities to trust for an https:// one instead of the system's: a PEM file on the host",
    )
    position = models.PositiveIntegerField(default=100, help_text="The lowest is tried first")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "outbound proxies"

    def __str__(self) -> str:
        return self.name


class ConnectionSettings(models.Model):
    """See `policy/transport.py`. Empty: the environment's."""

    connect_timeout = models.FloatField(null=True, blank=True, validators=ABOVE_ZERO, help_text="Seconds")
    header_timeout = models.FloatField(
        null=True, blank=True, validators=ABOVE_ZERO, help_text="Seconds until the answer begins"
    )
    idle_timeout = models.FloatField(
        null=True, blank=True, validators=ABOVE_ZERO, help_text="Seconds of silence within an answer; there is no total"
    )
    pool_size = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Connections at once; empty: no bound"
    )
    pool_idle_seconds = models.FloatField(
        null=True, blank=True, validators=ABOVE_ZERO, help_text="How long an unused connection is kept; empty: 15"
    )
    pool_life_seconds = models.FloatField(
        null=True, blank=True, validators=ABOVE_ZERO, help_text="Age at which a connection is not used again"
    )
    tls_minimum = models.CharField(max_length=4, blank=True, choices=TLS_VERSIONS)
    ca_file = models.CharField(
        max_length=500, blank=True, help_text="Authorities to trust instead of the system's: a PEM file on the host"
    )
    client_certificate_file = models.CharField(max_length=500, blank=True, help_text="A PEM file on the host")
    client_key_file = models.CharField(max_length=500, blank=True, help_text="A PEM file; empty: in the certificate's")
    http2 = models.BooleanField(
        "HTTP/2",
        default=False,
        db_default=False,
        help_text="Requests share connections, where the provider takes HTTP/2 over TLS",
    )
    proxies = models.ManyToManyField(OutboundProxy, blank=True, help_text="None: called directly")
    proxy_choice = models.CharField(
        max_length=8,
        choices=[(choice.value, choice.value.replace("_", " ")) for choice in ProxyChoice],
        default=ProxyChoice.IN_ORDER.value,
    )

    class Meta:
        abstract = True


class HealthCheckSettings(models.Model):
    """A question asked of the provider now and then, whether or not there is traffic."""

    health_path = models.CharField(
        max_length=200, blank=True, help_text="Path to GET, such as /v1/models; empty: no check"
    )
    health_interval = models.FloatField(default=30.0, validators=[MinValueValidator(1)], help_text="Seconds")
    health_timeout = models.FloatField(default=5.0, validators=ABOVE_ZERO, help_text="Seconds")
    health_failures = models.PositiveIntegerField(
        default=3, validators=[MinValueValidator(1)], help_text="Failures in a row that count as down"
    )

    class Meta:
        abstract = True
