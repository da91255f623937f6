
from importlib import import_module

import django.core.validators
import django.db.models.deletion
import gateway.models.caching
import gateway.models.validators
from django.conf import settings
from django.db import migrations, models


trigger = import_module("gateway.migrations.0002_configuration_triggers").trigger
TABLES = ("gateway_cacherule", "gateway_cacheclearing")


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0019_capture_policies'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CacheRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('keys', models.JSONField(blank=True, default=list, help_text='Only for API keys of these names; empty: all', validators=[gateway.models.validators.check_texts])),
                ('teams', models.JSONField(blank=True, default=list, help_text='Only for these teams', validators=[gateway.models.validators.check_texts])),
                ('ttl_seconds', models.FloatField(default=3600.0, help_text='How long an answer is good', validators=[django.core.validators.MinValueValidator(0.01)])),
                ('max_answer_bytes', models.PositiveIntegerField(default=1048576, help_text='Larger answers are not kept', validators=[django.core.validators.MinValueValidator(1)])),
                ('ignore_fields', models.JSONField(blank=True, default=list, help_text='Top-level fields of the body that make no difference, such as metadata; empty: every byte counts', validators=[gateway.models.validators.check_texts])),
                ('vary_headers', models.JSONField(blank=True, default=list, help_text='Headers that make a difference, beside those that always do (versions, betas, formats)', validators=[gateway.models.caching.check_header_names])),
                ('store', models.CharField(choices=[('memory', 'memory: of each process'), ('redis', 'redis: shared by all processes, where there is one'), ('nowhere', 'nowhere: only join requests under way')], default='memory', max_length=8)),
                ('join', models.BooleanField(default=False, help_text='Requests that come while the same one is being answered wait for its answer')),
                ('position', models.PositiveIntegerField(default=100, help_text='Of several rules for a request the lowest counts')),
                ('enabled', models.BooleanField(default=True)),
                ('models', models.JSONField(blank=True, default=list, help_text='Only for these models, or patterns; empty: all', validators=[gateway.models.validators.check_texts])),
            ],
            options={
                'ordering': ('position', 'name'),
            },
        ),
        migrations.AddField(
            model_name='gatewaysettings',
            name='cache_max_bytes',
            field=models.PositiveBigIntegerField(default=67108864, help_text='Of all answers kept in the memory of a process, where cache rules keep any'),
        ),
        migrations.CreateModel(
            name='CacheClearing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('model', models.CharField(blank=True, help_text='A model, or a pattern such as claude-*; empty: any', max_length=200)),
                ('key', models.CharField(blank=True, help_text="An API key's name, or a pattern; empty: any", max_length=64)),
                ('team', models.CharField(blank=True, help_text='A team, or a pattern; empty: any', max_length=64)),
                ('author', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'clearing of kept answers',
                'verbose_name_plural': 'clearings of kept answers',
                'ordering': ('-pk',),
            },
        ),
        *(trigger(table) for table in TABLES),
    ]
