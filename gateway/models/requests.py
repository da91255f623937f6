"""The history's row tables, range-partitioned by month of their UUIDv7 id (see `gateway/history/partitions.py`).

No table refers to another with a database constraint, so that a month can be detached and dropped whole. Bodies lie
apart (`stored.py`), so that lists never touch them. Rows are written by the loader with COPY, never through the ORM.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from gateway.dialects.names import Dialect, Outcome
from gateway.models.at_rest import SealedJSONField


class RequestLog(models.Model):
    """One accepted request: what lists, filters and rollups need, and no more."""

    id = models.UUIDField(primary_key=True, help_text="UUIDv7: its time is that of admission")
    started_at = models.DateTimeField()
    method = models.TextField()
    path = models.TextField()
    query = models.TextField(blank=True)
    dialect = models.TextField(choices=[(d.value, d.value) for d in Dialect])
    provider = models.TextField(blank=True)
    access_key = models.TextField(blank=True, help_text="name of the key that opened the gateway; empty in open mode")
    team = models.TextField(blank=True)
    client_address = models.TextField(blank=True)
    requested_model = models.TextField(null=True)
    routed_model = models.TextField(null=True)
    model = models.TextField(null=True, help_text="the model the answer names")
    is_streaming = models.BooleanField(null=True)
    status_code = models.IntegerField(null=True)
    outcome = models.TextField(choices=[(o.value, o.value) for o in Outcome])
    session_id = models.TextField(null=True)
    agent_id = models.TextField(null=True)
    parent_agent_id = models.TextField(null=True)
    prompt_id = models.TextField(null=True)
    request_class = models.TextField(null=True)
    client_request_id = models.TextField(null=True)
    thread_id = models.TextField(null=True)
    turn_id = models.TextField(null=True)
    window_id = models.TextField(null=True)
    trace_id = models.TextField(null=True, help_text="W3C trace the client counts it to: 32 hexadecimal digits")
    parent_span_id = models.TextField(null=True, help_text="the client's span it was asked under: 16 of them")
    client = models.TextField(blank=True)
    client_version = models.TextField(blank=True)
    user_agent = models.TextField(blank=True)
    content_type = models.TextField(blank=True)
    betas = ArrayField(models.TextField(), default=list)
    message_count = models.IntegerField(null=True)
    tool_count = models.IntegerField(null=True)
    max_tokens = models.BigIntegerField(null=True)
    tags = models.JSONField(default=dict, help_text="the headers named in TURNLOG_TAG_HEADERS")
    request_bytes = models.BigIntegerField()
    capture = models.TextField(default="full", help_text="full, or why parts are missing")
    prefix_leaf = models.BinaryField(null=True, help_text="the node of the last of its tools and system")
    messages_leaf = models.BinaryField(null=True, help_text="the node of its last message; null: not split")
    scope = models.IntegerField(db_default=0, help_text="whose blobs and nodes: a Scope, 0 for no team")
    purpose = models.TextField(
        blank=True,
        db_default="",
        help_text="empty: a client's own; grading: a judge was asked; replay and selftest are no usage",
    )
    replay_of = models.UUIDField(null=True, help_text="the request this one repeats")
    handling = models.TextField(
        blank=True,
        db_default="",
        default="",
        help_text="demoted, counted, or synthetic with its short cut; empty: passed on",
    )
    capture_policy = models.TextField(
        blank=True, db_default="", default="", help_text="which policy said how much is kept, and how; empty: none"
    )

    class Meta:
        managed = True
        ordering = ("-id",)
        verbose_name = "request"
        permissions = [("view_every_team", "Can read the requests of every team")]
        # Ascending, though lists begin with the newest: an index of descending ids is split in its middle, not at its
        # end, and takes nearly twice the room.
        indexes = [
            models.Index(fields=["outcome", "id"], name="requestlog_by_outcome"),
            models.Index(fields=["model", "id"], name="requestlog_by_model"),
            models.Index(fields=["status_code", "id"], name="requestlog_by_status"),
            models.Index(fields=["client", "id"], name="requestlog_by_client"),
            models.Index(
                fields=["session_id", "id"], name="requestlog_by_session", condition=models.Q(session_id__isnull=False)
            ),
            models.Index(
                fields=["prompt_id", "id"], name="requestlog_by_prompt", condition=models.Q(prompt_id__isnull=False)
            ),
            models.Index(fields=["team", "id"], name="requestlog_by_team"),
            models.Index(fields=["access_key", "id"], name="requestlog_by_access_key"),
            models.Index(
                fields=["messages_leaf"],
                name="requestlog_messages_leaf",
                condition=models.Q(messages_leaf__isnull=False),
            ),
            GinIndex(fields=["tags"], name="requestlog_tags"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ResponseLog(models.Model):
    """The answer to one request, and how the exchange ended."""

    request = models.OneToOneField(
        RequestLog,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        db_column="id",
        related_name="response",
    )
    content_type = models.TextField(blank=True)
    content_encoding = models.TextField(blank=True)
    first_byte_ms = models.FloatField(null=True, help_text="from admission to the first byte of the answer's body")
    headers_ms = models.FloatField(null=True, help_text="from admission to the answer's headers")
    duration_ms = models.FloatField(null=True)
    response_bytes = models.BigIntegerField(default=0)
    stop_reason = models.TextField(null=True)
    usage = models.JSONField(
        null=True, help_text="the provider's usage object, verbatim; merged key by key when streamed"
    )
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    cache_read_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    cache_write_1h_tokens = models.BigIntegerField(null=True, help_text="of those written, kept for an hour")
    thinking_tokens = models.BigIntegerField(null=True, help_text="of the output, what was thought and not said")
    server_tools = models.JSONField(null=True, help_text="calls of the provider's own tools, by name")
    service_tier = models.TextField(null=True)
    speed = models.TextField(null=True)
    inference_geo = models.TextField(null=True)
    cost_usd = models.DecimalField(max_digits=18, decimal_places=9, null=True, help_text="derived; NULL: not known")
    cost_note = models.TextField(blank=True, db_default="", help_text="why the cost is not known, or what it is worth")
    price = models.BigIntegerField(null=True, db_column="price_id", help_text="the row of the price table it is by")
    upstream_request_id = models.TextField(null=True)
    organization_id = models.TextField(null=True)
    error_type = models.TextField(null=True)
    error_message = models.TextField(null=True)
    stream_error = models.TextField(null=True, help_text="how the stream broke, when it did")
    parse_warnings = ArrayField(models.TextField(), default=list)
    attempts = models.JSONField(default=list)
    message = models.BinaryField(null=True, help_text="what `reply` replaces; not written any more")
    reply = models.BinaryField(null=True, help_text="the blob of the accumulated message, as a client sends it back")
    translation = models.JSONField(
        null=True, help_text="the dialect the provider was spoken to, and what was lost on the way; null when relayed"
    )

    class Meta:
        verbose_name = "response"
        indexes = [models.Index(fields=["upstream_request_id"], name="responselog_upstream_request")]

    def __str__(self) -> str:
        return str(self.pk)


class ChunkTiming(models.Model):
    """Arrival of every chunk of one answer: packed pairs of varints (microseconds since the last one, bytes)."""

    request = models.OneToOneField(
        RequestLog,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        db_column="id",
        related_name="chunk_timing",
    )
    count = models.IntegerField()
    first_at = models.DateTimeField(help_text="when the first chunk arrived")
    packed = models.BinaryField()
    held = models.BinaryField(null=True, help_text="where the client was slow to take a chunk; see timings.py")

    def __str__(self) -> str:
        return str(self.pk)


class HeaderRecord(models.Model):
    """Both directions' header pairs as they came: order, case and duplicates kept, secrets as fingerprints."""

    request = models.OneToOneField(
        RequestLog,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        db_column="id",
        related_name="header_record",
    )
    request_pairs = SealedJSONField(default=list)
    response_pairs = SealedJSONField(default=list)
    rules = SealedJSONField(
        null=True, help_text="which header rules fired and what they changed, by direction; null: none did"
    )

    def __str__(self) -> str:
        return str(self.pk)


class RateLimitSample(models.Model):
    """A rate-limit header that said something new. An absent header has no row: absent is not zero; nor has one that
    said what the answer before it said, less than half an hour ago (see `gateway/recording/limit_samples.py`)."""

    pk = models.CompositePrimaryKey("request_id", "name")
    request = models.ForeignKey(
        RequestLog,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_column="id",
        db_index=False,
        related_name="rate_limits",
    )
    name = models.TextField()
    value = models.TextField()
    organization_id = models.TextField(null=True)
    sampled_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["organization_id", "name", "sampled_at"], name="ratelimit_of_organization")]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
