"""The first tables. The history's are partitioned by month of their id; `gateway/history/partitions.py` makes the months."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from gateway.history.partitioned_model import CreatePartitionedModel

# They hold what is compressed already: PostgreSQL need not try again.
COMPRESSED_COLUMNS = [
    ("gateway_storedbody", "data"),
    ("gateway_responselog", "message"),
    ("gateway_chunktiming", "packed"),
]


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
            ],
            options={
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('digest', models.BinaryField(help_text='HMAC-SHA256 of the key', unique=True)),
                ('hint', models.CharField(blank=True, editable=False, help_text='Its beginning and last four characters', max_length=16)),
                ('enabled', models.BooleanField(default=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('dialect', models.CharField(choices=[('anthropic', 'anthropic'), ('openai', 'openai')], max_length=16)),
                ('address', models.CharField(help_text='Origin and path prefix, with or without /v1, such as https://api.anthropic.com', max_length=500)),
            ],
            options={
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Credential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('ciphertext', models.BinaryField()),
                ('last_four', models.CharField(blank=True, editable=False, max_length=4)),
                ('fingerprint', models.CharField(editable=False, max_length=32)),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ('provider__name', 'name'),
            },
        ),
        migrations.CreateModel(
            name='ModelRoute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('match', models.CharField(help_text='A model name, or a pattern such as claude-*', max_length=200, unique=True)),
                ('model', models.CharField(blank=True, help_text="The model to ask for; empty keeps the caller's", max_length=200)),
                ('position', models.PositiveIntegerField(default=100)),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ('position', 'match'),
            },
        ),
        migrations.CreateModel(
            name='ConfigurationVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField(default=0)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='SpoolSegment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.TextField(help_text='the spool it lies in')),
                ('series', models.TextField(help_text="the web process's series, a directory of the spool")),
                ('number', models.IntegerField()),
                ('accepted', models.BigIntegerField(default=0, help_text='admission stubs; counted from the files until retired')),
                ('stored', models.BigIntegerField(default=0, help_text='of those, with a row in the history')),
                ('dead', models.BigIntegerField(default=0, help_text='of those, handed to the dead letters')),
                ('retired', models.BooleanField(default=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='SpoolTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.TextField(help_text='the spool it lay in')),
                ('series', models.TextField(unique=True)),
                ('accepted', models.BigIntegerField(default=0)),
                ('stored', models.BigIntegerField(default=0)),
                ('dead', models.BigIntegerField(default=0)),
                ('dropped', models.JSONField(default=dict, help_text='served without a record, by reason; final once gone')),
                ('telemetry', models.JSONField(default=dict, help_text='requests to the telemetry endpoints, by kind; final once gone')),
                ('gone', models.BooleanField(default=False, help_text='its process is dead and its directory removed')),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('exchange_id', models.UUIDField(unique=True)),
                ('reason', models.TextField()),
                ('detail', models.TextField(blank=True)),
                ('attempts', models.IntegerField(default=0)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('replayed', 'Replayed'), ('discarded', 'Discarded')], default='waiting', max_length=16)),
                ('frames', models.BinaryField(help_text="the exchange's spool frames, one after the other")),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ('-created_at',),
            },
        ),
        CreatePartitionedModel(
            name='RequestLog',
            fields=[
                ('id', models.UUIDField(help_text='UUIDv7: its time is that of admission', primary_key=True, serialize=False)),
                ('started_at', models.DateTimeField()),
                ('method', models.TextField()),
                ('path', models.TextField()),
                ('query', models.TextField(blank=True)),
                ('dialect', models.TextField(choices=[('anthropic', 'anthropic'), ('chat', 'chat'), ('responses', 'responses'), ('openai', 'openai')])),
                ('provider', models.TextField(blank=True)),
                ('access_key', models.TextField(blank=True, help_text='name of the key that opened the gateway; empty in open mode')),
                ('team', models.TextField(blank=True)),
                ('client_address', models.TextField(blank=True)),
                ('requested_model', models.TextField(null=True)),
                ('routed_model', models.TextField(null=True)),
                ('model', models.TextField(help_text='the model the answer names', null=True)),
                ('is_streaming', models.BooleanField(null=True)),
                ('status_code', models.IntegerField(null=True)),
                ('outcome', models.TextField(choices=[('completed', 'completed'), ('upstream_error', 'upstream_error'), ('client_disconnected', 'client_disconnected'), ('client_stalled', 'client_stalled'), ('upstream_aborted', 'upstream_aborted'), ('upstream_stalled', 'upstream_stalled'), ('denied', 'denied'), ('interrupted', 'interrupted'), ('interrupted_drain', 'interrupted_drain')])),
                ('session_id', models.TextField(null=True)),
                ('agent_id', models.TextField(null=True)),
                ('parent_agent_id', models.TextField(null=True)),
                ('prompt_id', models.TextField(null=True)),
                ('request_class', models.TextField(null=True)),
                ('client_request_id', models.TextField(null=True)),
                ('thread_id', models.TextField(null=True)),
                ('turn_id', models.TextField(null=True)),
                ('window_id', models.TextField(null=True)),
                ('client', models.TextField(blank=True)),
                ('client_version', models.TextField(blank=True)),
                ('user_agent', models.TextField(blank=True)),
                ('content_type', models.TextField(blank=True)),
                ('betas', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ('message_count', models.IntegerField(null=True)),
                ('tool_count', models.IntegerField(null=True)),
                ('max_tokens', models.BigIntegerField(null=True)),
                ('tags', models.JSONField(default=dict, help_text='the headers named in TURNLOG_TAG_HEADERS')),
                ('request_bytes', models.BigIntegerField()),
                ('capture', models.TextField(default='full', help_text='full, or why parts are missing')),
            ],
            options={
                'verbose_name': 'request',
                'ordering': ('-id',),
                'managed': True,
            },
        ),
        CreatePartitionedModel(
            name='ResponseLog',
            fields=[
                ('request', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='response', serialize=False, to='gateway.requestlog')),
                ('content_type', models.TextField(blank=True)),
                ('content_encoding', models.TextField(blank=True)),
                ('first_byte_ms', models.FloatField(help_text="from admission to the first byte of the answer's body", null=True)),
                ('headers_ms', models.FloatField(help_text="from admission to the answer's headers", null=True)),
                ('duration_ms', models.FloatField(null=True)),
                ('response_bytes', models.BigIntegerField(default=0)),
                ('stop_reason', models.TextField(null=True)),
                ('usage', models.JSONField(help_text="the provider's usage object, verbatim; merged key by key when streamed", null=True)),
                ('input_tokens', models.BigIntegerField(null=True)),
                ('output_tokens', models.BigIntegerField(null=True)),
                ('cache_read_tokens', models.BigIntegerField(null=True)),
                ('cache_write_tokens', models.BigIntegerField(null=True)),
                ('upstream_request_id', models.TextField(null=True)),
                ('organization_id', models.TextField(null=True)),
                ('error_type', models.TextField(null=True)),
                ('error_message', models.TextField(null=True)),
                ('stream_error', models.TextField(help_text='how the stream broke, when it did', null=True)),
                ('parse_warnings', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ('attempts', models.JSONField(default=list)),
                ('message', models.BinaryField(help_text='the accumulated message, zstd-compressed JSON', null=True)),
            ],
            options={
                'verbose_name': 'response',
            },
        ),
        CreatePartitionedModel(
            name='ChunkTiming',
            fields=[
                ('request', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='chunk_timing', serialize=False, to='gateway.requestlog')),
                ('count', models.IntegerField()),
                ('first_at', models.DateTimeField(help_text='when the first chunk arrived')),
                ('packed', models.BinaryField()),
            ],
        ),
        CreatePartitionedModel(
            name='HeaderRecord',
            fields=[
                ('request', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='header_record', serialize=False, to='gateway.requestlog')),
                ('request_pairs', models.JSONField(default=list)),
                ('response_pairs', models.JSONField(default=list)),
            ],
        ),
        CreatePartitionedModel(
            name='RateLimitSample',
            fields=[
                ('pk', models.CompositePrimaryKey('request_id', 'name', blank=True, editable=False, primary_key=True, serialize=False)),
                ('request', models.ForeignKey(db_column='id', db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='rate_limits', to='gateway.requestlog')),
                ('name', models.TextField()),
                ('value', models.TextField()),
                ('organization_id', models.TextField(null=True)),
                ('sampled_at', models.DateTimeField()),
            ],
        ),
        CreatePartitionedModel(
            name='StoredBody',
            fields=[
                ('pk', models.CompositePrimaryKey('id', 'part', blank=True, editable=False, primary_key=True, serialize=False)),
                ('id', models.UUIDField()),
                ('part', models.SmallIntegerField(choices=[(0, 'request'), (1, 'response')])),
                ('size', models.BigIntegerField(help_text='bytes before compression')),
                ('sha256', models.BinaryField(help_text='of the bytes before compression')),
                ('codec', models.TextField(default='zstd')),
                ('data', models.BinaryField()),
                ('patch', models.JSONField(help_text='list of start, end and text of what the route replaced on the way out', null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['outcome', '-id'], name='requestlog_outcome'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['model', '-id'], name='requestlog_model'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['status_code', '-id'], name='requestlog_status'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['client', '-id'], name='requestlog_client'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['session_id', '-id'], name='requestlog_session'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['prompt_id', '-id'], name='requestlog_prompt'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['team', '-id'], name='requestlog_team'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=models.Index(fields=['access_key', '-id'], name='requestlog_access_key'),
        ),
        migrations.AddIndex(
            model_name='requestlog',
            index=django.contrib.postgres.indexes.GinIndex(fields=['tags'], name='requestlog_tags'),
        ),
        migrations.AddField(
            model_name='modelroute',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='gateway.provider'),
        ),
        migrations.AddField(
            model_name='credential',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='credentials', to='gateway.provider'),
        ),
        migrations.AddConstraint(
            model_name='spoolsegment',
            constraint=models.UniqueConstraint(fields=('series', 'number'), name='spool_segment_once'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='team',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='api_keys', to='gateway.team'),
        ),
        migrations.AddConstraint(
            model_name='credential',
            constraint=models.UniqueConstraint(fields=('provider', 'name'), name='credential_name_per_provider'),
        ),
        migrations.AddIndex(
            model_name='responselog',
            index=models.Index(fields=['upstream_request_id'], name='responselog_upstream_request'),
        ),
        migrations.AddIndex(
            model_name='ratelimitsample',
            index=models.Index(fields=['organization_id', 'name', '-sampled_at'], name='ratelimit_by_organization'),
        ),
        migrations.RunSQL(
            [f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL" for table, column in COMPRESSED_COLUMNS],
            migrations.RunSQL.noop,
        ),
    ]
