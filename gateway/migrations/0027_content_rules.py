"""What texts are watched for, what was found in them, and what is hidden from those who read."""

from importlib import import_module

import django.core.validators
import gateway.models.content
import gateway.models.validators
from django.db import migrations, models

trigger = import_module("gateway.migrations.0002_configuration_triggers").trigger


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0026_metrics'),
    ]

    operations = [
        migrations.CreateModel(
            name='ContentRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('detector', models.CharField(choices=[('secrets', 'secrets: keys, tokens, private keys and passwords, by their shapes'), ('prompt_injection', 'prompt injection: words that give an agent other orders'), ('patterns', 'patterns: of your own')], max_length=20)),
                ('action', models.CharField(choices=[('observe', 'observe: list what is found in stored text'), ('alert', 'alert: list it, and tell those who want to know'), ('refuse', 'refuse: as alert, and a request whose newest text has it is not sent on')], default='observe', max_length=8)),
                ('patterns', models.JSONField(blank=True, default=list, help_text='RE2 patterns, for the detector of that name; (?i) before one ignores case', validators=[gateway.models.validators.check_texts, gateway.models.content.check_patterns])),
                ('severity', models.CharField(choices=[('low', 'low'), ('medium', 'medium'), ('high', 'high')], default='medium', help_text='Of what is found; secrets have one by their kind', max_length=6)),
                ('message', models.CharField(blank=True, help_text='Refuse: what the caller is told to do', max_length=300)),
                ('teams', models.JSONField(blank=True, default=list, help_text='Only for these teams, or names given by /t/NAME; empty: for all', validators=[gateway.models.validators.check_texts])),
                ('keys', models.JSONField(blank=True, default=list, help_text='Only for API keys of these names, or patterns', validators=[gateway.models.validators.check_texts])),
                ('enabled', models.BooleanField(default=True)),
                ('note', models.CharField(blank=True, help_text='What it is for', max_length=500)),
                ('models', models.JSONField(blank=True, default=list, help_text='Only where one of these models is asked for, or patterns such as claude-*', validators=[gateway.models.validators.check_texts])),
            ],
            options={
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Redaction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('patterns', models.JSONField(blank=True, default=list, help_text='RE2 patterns; what they fit is shown as [hidden: NAME]', validators=[gateway.models.validators.check_texts, gateway.models.content.check_patterns])),
                ('secrets', models.BooleanField(default=False, help_text='Hide keys, tokens and passwords, by their shapes')),
                ('teams', models.JSONField(blank=True, default=list, help_text='Only in what these teams said; empty: of all, and of no team', validators=[gateway.models.validators.check_texts])),
                ('revealed_by', models.JSONField(blank=True, default=gateway.models.content.revealing_roles, help_text='Roles that may have it shown all the same, which is written down: member, lead, ops, admin', validators=[gateway.models.validators.check_texts, gateway.models.content.check_roles])),
                ('enabled', models.BooleanField(default=True)),
                ('note', models.CharField(blank=True, help_text='What it is for', max_length=500)),
            ],
            options={
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(max_length=64)),
                ('kind', models.CharField(help_text='What it looks like', max_length=64)),
                ('severity', models.CharField(choices=[('low', 'low'), ('medium', 'medium'), ('high', 'high')], max_length=6)),
                ('state', models.CharField(choices=[('open', 'Open'), ('done', 'done: the secret was changed, the matter is settled'), ('harmless', 'harmless: a false alarm')], default='open', max_length=8)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('found_at', models.DateTimeField(auto_now_add=True)),
                ('request_id', models.UUIDField(help_text='The request that first brought it')),
                ('team', models.TextField(blank=True)),
                ('access_key', models.TextField(blank=True)),
                ('part', models.SmallIntegerField(help_text='Kind of the part of the request, as of Blob')),
                ('offset', models.IntegerField(help_text="Characters before it in the part's text")),
                ('length', models.IntegerField(help_text='Its length in characters')),
                ('fingerprint', models.CharField(help_text='Keyed: the same for the same secret', max_length=16)),
                ('times', models.IntegerField(default=1, help_text='Stored texts it was found in')),
                ('month', models.DateField(editable=False)),
                ('scope', models.IntegerField(editable=False)),
                ('digest', models.BinaryField(editable=False, help_text='Of the text it was first found in')),
            ],
            options={
                'ordering': ('-pk',),
                'indexes': [models.Index(fields=['month', 'scope', 'digest'], name='finding_text'), models.Index(fields=['request_id'], name='finding_request'), models.Index(fields=['state', '-id'], name='finding_state'), models.Index(fields=['team', '-id'], name='finding_team')],
                'constraints': [models.UniqueConstraint(fields=('month', 'scope', 'rule', 'fingerprint'), name='finding_once')],
            },
        ),
        trigger("gateway_contentrule"),
        trigger("gateway_redaction"),
    ]
