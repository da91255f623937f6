"""How long the history is kept, what is held back from that, and what was erased."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from gateway.models.access import Team


class RetentionTerm(models.Model):
    """For how many days exchanges are kept: those of one team, or, without a team, all. The shorter one counts."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="retention_term")
    days = models.PositiveIntegerField(validators=[MinValueValidator(1)])

    class Meta:
        ordering = ("team__name",)
        constraints = [models.UniqueConstraint(fields=["team"], nulls_distinct=False, name="retention_term_once")]

    def __str__(self) -> str:
        return f"{self.team or 'everybody'}: {self.days} days"


class LegalHold(models.Model):
    """Exchanges that neither a term nor an erasure removes while this stands. What is left empty does not narrow it."""

    name = models.CharField(max_length=200, unique=True, help_text="The matter, as those who ask for it call it")
    session_id = models.TextField(blank=True)
    access_key = models.TextField(blank=True, help_text="Name of the key")
    team = models.TextField(blank=True, help_text="Name of the team")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not (self.session_id or self.access_key or self.team):
            raise ValidationError("Say which session, key or team is held; nothing would hold everything for ever.")


class ErasureCertificate(models.Model):
    """What one erasure removed. It names no content; `ids_sha256` proves of an id list that it is the one removed."""

    asked_by = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    selector = models.JSONField(help_text="what was asked for: session, access_key, user or team")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(auto_now_add=True)
    exchanges = models.IntegerField()
    held = models.IntegerField(help_text="exchanges a legal hold kept back")
    bodies_bytes = models.BigIntegerField(help_text="bytes of requests and answers, as they were recorded")
    blobs = models.IntegerField(help_text="pieces of text nobody else refers to, removed with them")
    responses = models.IntegerField(
        db_default=0, default=0, help_text="of those, responses that this gateway gives out no more"
    )
    letters = models.IntegerField(db_default=0, default=0, help_text="dead letters that were emptied")
    quarantined = models.IntegerField(
        db_default=0,
        default=0,
        help_text="stretches of this host's quarantine that named one of them, and were emptied",
    )
    first_id = models.UUIDField(null=True)
    last_id = models.UUIDField(null=True)
    ids_sha256 = models.CharField(max_length=64, help_text="of the ids removed, sorted, one a line")

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.exchanges} exchanges, {self.ended_at:%Y-%m-%d %H:%M}"


class ErasedExchange(models.Model):
    """An exchange that was stored and removed: the spool may still hold it, and it must not come back."""

    exchange_id = models.UUIDField(primary_key=True)
    erased_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.exchange_id)


class DroppedMonth(models.Model):
    """A month that went: what the spool still holds of it counts as settled and does not come back."""

    month = models.DateField(primary_key=True)
    dropped_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
