"""Requests that wait to be sent as spans. Both tables are new, and stay empty where no OTLP endpoint is set."""

import datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0030_trace_context'),
    ]

    operations = [
        migrations.CreateModel(
            name='TraceReceiver',
            fields=[
                ('id', models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row')),
                ('not_before', models.DateTimeField(default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))),
                ('problem', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='WaitingTrace',
            fields=[
                ('request_id', models.UUIDField(primary_key=True, serialize=False)),
                ('attempts', models.PositiveSmallIntegerField(db_default=0)),
                ('not_before', models.DateTimeField(db_default=models.Value(datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)))),
            ],
            options={
                'indexes': [models.Index(fields=['attempts', 'request_id'], name='waitingtrace_turn')],
            },
        ),
    ]
