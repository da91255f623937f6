"""Rules on headers, their dry runs, and what the record keeps of them."""

from importlib import import_module

import django.core.validators
from django.db import migrations, models

import gateway.models.validators

trigger = import_module("gateway.migrations.0002_configuration_triggers").trigger


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0016_proxies_without_http2'),
    ]

    operations = [
        migrations.CreateModel(
            name='HeaderRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('direction', models.CharField(choices=[('request', 'request'), ('response', 'response')], default='request', help_text='Request: on the way to the provider. Response: on the way to the client', max_length=8)),
                ('position', models.PositiveIntegerField(default=100, help_text='The lowest acts first')),
                ('header', models.CharField(help_text='Its name, in any case', max_length=100)),
                ('action', models.CharField(choices=[('block', 'block: remove it'), ('set', 'set: one value, made where there is none'), ('replace', 'replace: a part of each value')], max_length=8)),
                ('find', models.CharField(blank=True, help_text='Replace: what to look for, as it is written', max_length=4096)),
                ('is_pattern', models.BooleanField(default=False, help_text='What to look for is a pattern (RE2); the value may name its groups: \\1')),
                ('value', models.CharField(blank=True, help_text='Set: the value. Replace: what stands there then', max_length=4096)),
                ('danger', models.BooleanField(default=False, help_text='It is meant to touch the credential that the provider is reached with')),
                ('providers', models.JSONField(blank=True, default=list, help_text='Only for these; empty: for all', validators=[gateway.models.validators.check_texts])),
                ('teams', models.JSONField(blank=True, default=list, help_text='Only for these teams, or names given by /t/NAME', validators=[gateway.models.validators.check_texts])),
                ('keys', models.JSONField(blank=True, default=list, help_text='Only for API keys of these names', validators=[gateway.models.validators.check_texts])),
                ('enabled', models.BooleanField(default=True)),
                ('state', models.CharField(choices=[('draft', 'draft: does nothing'), ('shadow', 'shadow: recorded, not applied'), ('live', 'live')], default='draft', help_text='Live needs a dry run of the rule as it is written', max_length=8)),
                ('note', models.CharField(blank=True, help_text='What it is for', max_length=500)),
                ('models', models.JSONField(blank=True, default=list, help_text='Only where the provider is asked for these models, or patterns such as claude-*', validators=[gateway.models.validators.check_texts])),
            ],
            options={
                'ordering': ('position', 'name'),
            },
        ),
        migrations.AddField(
            model_name='headerrecord',
            name='rules',
            field=models.JSONField(help_text='which header rules fired and what they changed, by direction; null: none did', null=True),
        ),
        migrations.CreateModel(
            name='HeaderRuleDryRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule_name', models.CharField(max_length=64)),
                ('digest', models.CharField(help_text="of the rule's content", max_length=64)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('author_name', models.CharField(max_length=150)),
                ('looked_at', models.PositiveIntegerField(help_text='requests')),
                ('changed', models.PositiveIntegerField()),
                ('contract', models.PositiveIntegerField(help_text='of those changed: with a header that begins with anthropic-')),
                ('broken', models.PositiveIntegerField(help_text='of those changed: with a header parted from its half of the body')),
                ('examples', models.JSONField(default=list, help_text='ids of some of those changed, and what breaks there')),
                ('oldest', models.DateTimeField(help_text='the oldest request looked at', null=True)),
            ],
            options={
                'verbose_name': 'dry run',
                'ordering': ('-pk',),
                'indexes': [models.Index(fields=['digest', '-id'], name='dryrun_digest')],
            },
        ),
        trigger("gateway_headerrule"),
    ]
