"""Capture policies, and the one that was applied on each request."""

from importlib import import_module

import django.core.validators
from django.db import migrations, models

import gateway.models.validators

trigger = import_module("gateway.migrations.0002_configuration_triggers").trigger


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0018_limits_and_budgets'),
    ]

    operations = [
        migrations.CreateModel(
            name='CapturePolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('position', models.PositiveIntegerField(default=100, help_text='The lowest is looked at first')),
                ('mode', models.CharField(choices=[('full', 'full: everything, but for what is masked or too large'), ('metadata', 'metadata: no bodies, no header values but known ones; tokens and cost stay'), ('none', 'none: counted, and nothing else')], max_length=8)),
                ('max_bytes', models.PositiveIntegerField(blank=True, help_text='Full: of each body at most so many bytes are kept; empty: all', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('masks', models.JSONField(blank=True, default=list, help_text="Full: places in the request's body that are kept as stars, such as metadata.user_id.device_id", validators=[gateway.models.validators.check_texts])),
                ('teams', models.JSONField(blank=True, default=list, help_text='Only for these teams, or names given by /t/NAME; empty: for all', validators=[gateway.models.validators.check_texts])),
                ('members', models.JSONField(blank=True, default=list, help_text='Only for keys of these people, by user name', validators=[gateway.models.validators.check_texts])),
                ('keys', models.JSONField(blank=True, default=list, help_text='Only for API keys of these names', validators=[gateway.models.validators.check_texts])),
                ('paths', models.JSONField(blank=True, default=list, help_text='Only for these paths, or patterns such as /v1/files*', validators=[gateway.models.validators.check_texts])),
                ('enabled', models.BooleanField(default=True)),
                ('note', models.CharField(blank=True, help_text='What it is for', max_length=500)),
                ('models', models.JSONField(blank=True, default=list, help_text='Only where one of these models is asked for, or patterns such as claude-*', validators=[gateway.models.validators.check_texts])),
            ],
            options={
                'verbose_name_plural': 'capture policies',
                'ordering': ('position', 'name'),
            },
        ),
        migrations.AddField(
            model_name='requestlog',
            name='capture_policy',
            field=models.TextField(blank=True, db_default='', default='', help_text='which policy said how much is kept, and how; empty: none'),
        ),
        trigger("gateway_capturepolicy"),
    ]
