import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0025_withdrawn_responses'),
    ]

    operations = [
        migrations.CreateModel(
            name='MetricTally',
            fields=[
                ('pk', models.CompositePrimaryKey('metric', 'labels', 'shard', blank=True, editable=False, primary_key=True, serialize=False)),
                ('metric', models.TextField()),
                ('labels', models.TextField(help_text="values as a JSON array, in the order of the metric's labels")),
                ('shard', models.SmallIntegerField()),
                ('value', models.FloatField(help_text='of a histogram the sum of what was observed')),
                ('buckets', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, help_text='how many in each bucket, not cumulated', size=None)),
            ],
        ),
        migrations.CreateModel(
            name='ProcessGauges',
            fields=[
                ('process', models.CharField(help_text='role, host and process id', max_length=120, primary_key=True, serialize=False)),
                ('role', models.CharField(help_text='web or loader', max_length=16)),
                ('host', models.CharField(max_length=64)),
                ('began_at', models.DateTimeField()),
                ('told_at', models.DateTimeField(help_text="by the database's clock")),
                ('gauges', models.JSONField(help_text='lists of name, value and labels; see gateway/metrics/gauges.py')),
            ],
            options={
                'verbose_name_plural': 'process gauges',
            },
        ),
        # Both are small and written all the time: with room in their pages a new version needs no new page. What
        # processes say of themselves is worth nothing after a crash.
        migrations.RunSQL(
            """
            ALTER TABLE gateway_processgauges SET UNLOGGED;
            ALTER TABLE gateway_processgauges SET (fillfactor = 20);
            ALTER TABLE gateway_metrictally SET (fillfactor = 50);
            """,
            migrations.RunSQL.noop,
        ),
    ]
