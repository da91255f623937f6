"""Grades of prompts: what was asked of a judge, what it said, and what people made of it.

A grade's row is the work itself: it is made before anything is asked, and a worker that dies leaves it to the next.
"""

from __future__ import annotations

import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from gateway.models.at_rest import SealedJSONField
from gateway.models.validators import check_http_address, check_texts

POINTS = (MinValueValidator(1), MaxValueValidator(5))


class Rubric(models.Model):
    """What the judge is told to look at. Never changed: another wording is another version; the last one is in
    force."""

    instructions = models.TextField(help_text="What the five criteria mean, and what one and five points are for")
    note = models.CharField(max_length=200, blank=True)
    author_name = models.CharField(max_length=150, blank=True, editable=False)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"version {self.pk}"


class GradingSettings(models.Model):
    """One row. Without a judge nothing is graded."""

    judge_model = models.CharField(
        max_length=200,
        blank=True,
        help_text="Asked for at this gateway, so that any route leads to it; empty: nothing is graded",
    )
    gateway_url = models.CharField(
        max_length=500,
        blank=True,
        validators=[check_http_address],
        help_text="Where the worker reaches the gateway; empty: TURNLOG_PORT of its own machine",
    )
    timeout_seconds = models.PositiveIntegerField(
        default=120, validators=[MinValueValidator(1), MaxValueValidator(240)], help_text="For one answer of the judge"
    )
    sample_percent = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(100.0)],
        help_text="Of the requests that a person's words are in, graded without being asked; 0: none",
    )
    sample_teams = models.JSONField(
        default=list, blank=True, validators=[check_texts], help_text="Only of these teams; empty: of all"
    )
    daily_limit = models.PositiveIntegerField(default=200, help_text="Grades by sampling in a day of UTC, at most")
    sampled_until = models.DateTimeField(
        null=True, editable=False, default=None, help_text="Requests admitted before were looked at"
    )

    class Meta:
        verbose_name = "grading settings"
        verbose_name_plural = "grading settings"

    def __str__(self) -> str:
        return "Grading"


class Grade(models.Model):
    """One text of one team by one rubric: the same text is never graded twice."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    class Origin(models.TextChoices):
        PAGE = "page"
        ADMIN = "admin"
        API = "api"
        SAMPLE = "sample"

    rubric = models.ForeignKey(Rubric, on_delete=models.PROTECT, related_name="grades")
    team = models.TextField(blank=True, help_text="Whose words they are; the same in another team is another grade")
    digest = models.BinaryField(editable=False, help_text="Keyed digest of what is graded")
    request_id = models.UUIDField(null=True, help_text="The request the text was first found in")
    access_key = models.TextField(blank=True)
    told = SealedJSONField(default=list, help_text="The user's and the system's text, where no request holds it")
    origin = models.CharField(max_length=8, choices=Origin.choices)
    asked_by = models.CharField(max_length=150, blank=True)
    asked_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Times the judge was asked")
    not_before = models.DateTimeField(default=datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
    tried_at = models.DateTimeField(null=True)
    marks = ArrayField(models.CharField(max_length=32), default=list, help_text="One for each time")
    problem = models.CharField(max_length=32, blank=True, help_text="The name of what went wrong")
    problem_detail = models.TextField(blank=True)

    score = models.PositiveSmallIntegerField(null=True, validators=POINTS)
    points = models.JSONField(default=dict, help_text="by criterion")
    said = SealedJSONField(default=list, help_text="feedback, improved_prompt, and criteria: feedback by name")
    suspect = models.BooleanField(
        default=False, help_text="The prompt speaks to the judge; not averaged until a person corrects or confirms it"
    )
    judge_model = models.TextField(blank=True, help_text="The one that answered")
    judge_requests = ArrayField(models.UUIDField(), default=list, help_text="What the judge was asked, in the history")
    graded_at = models.DateTimeField(null=True)
    cost_usd = models.DecimalField(
        max_digits=18, decimal_places=9, null=True, help_text="of all attempts; NULL: not known"
    )

    corrected_score = models.PositiveSmallIntegerField(null=True, blank=True, validators=POINTS)
    correction_note = models.TextField(blank=True)
    corrected_by = models.CharField(max_length=150, blank=True)
    corrected_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = [models.UniqueConstraint(fields=["rubric", "team", "digest"], name="grade_once")]
        indexes = [
            models.Index(
                fields=["not_before"], name="grade_open", condition=models.Q(state__in=["waiting", "running"])
            ),
            models.Index(fields=["team", "-id"], name="grade_team"),
            models.Index(fields=["-graded_at"], name="grade_time", condition=models.Q(state="done")),
        ]

    def __str__(self) -> str:
        return f"grade {self.pk}"

    @property
    def words(self) -> dict[str, Any]:
        """What the judge wrote: feedback, improved_prompt, criteria."""
        nothing: dict[str, Any] = {"feedback": "", "improved_prompt": "", "criteria": {}}
        return nothing | self.said if isinstance(self.said, dict) else nothing

    @property
    def final_score(self) -> int | None:
        """A person's word goes before the judge's."""
        return self.score if self.corrected_score is None else self.corrected_score


class GradedRequest(models.Model):
    """A request whose words a grade is for."""

    request_id = models.UUIDField(primary_key=True)
    grade = models.ForeignKey(Grade, on_delete=models.CASCADE, related_name="graded_requests")

    def __str__(self) -> str:
        return str(self.request_id)
