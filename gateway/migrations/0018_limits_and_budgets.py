
from importlib import import_module

import django.core.validators
import gateway.models.limits
import gateway.models.validators
from django.db import migrations, models


trigger = import_module("gateway.migrations.0002_configuration_triggers").trigger
TABLES = (
    "gateway_limit", "gateway_budget",
    # Who is exempt is a permission.
    "auth_user_user_permissions", "auth_user_groups", "auth_group_permissions",
)  # fmt: skip


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('gateway', '0017_header_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('scope', models.CharField(choices=[('everything', 'everything'), ('team', 'team'), ('member', 'member'), ('key', 'key'), ('session', 'session'), ('model', 'model'), ('provider', 'provider'), ('address', 'address')], default='everything', help_text='What has a counter of its own: one for everything, or one for each team, member, key and so on', max_length=12)),
                ('names', models.JSONField(blank=True, default=list, help_text='Only these of them: names or patterns such as ci-*, of addresses networks; empty: each of them', validators=[gateway.models.validators.check_texts])),
                ('when_unknown', models.CharField(choices=[('allow', 'allow: by what this process knows'), ('refuse', 'refuse: with 503, until it is known')], default='allow', help_text='While the count cannot be known, because Redis or the ledger is out of reach', max_length=8)),
                ('enabled', models.BooleanField(default=True)),
                ('models', models.JSONField(blank=True, default=list, help_text='Only requests for these models, or patterns such as claude-opus-*; empty: for all', validators=[gateway.models.validators.check_texts])),
                ('period', models.CharField(choices=[('daily', 'daily'), ('weekly', 'weekly'), ('monthly', 'monthly')], default='monthly', max_length=8)),
                ('zone', models.CharField(default='UTC', help_text='By whose clocks a day, a week (from Monday) or a month begins: an IANA name, like Europe/Berlin', max_length=64, validators=[gateway.models.limits.check_zone])),
                ('usd', models.FloatField(blank=True, help_text='US dollars in each period', null=True, validators=[django.core.validators.MinValueValidator(0.01)])),
                ('tokens', models.PositiveBigIntegerField(blank=True, help_text='Tokens in each period, cached input included', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('message', models.CharField(blank=True, help_text='Added to the sentence that a refused client prints, such as: Ask in #ai-platform for more', max_length=300)),
                ('show', models.BooleanField(default=True, help_text="Tell the standing in the headers of answers: a Claude Code that is signed in to a gateway then warns at 75 and 95 %. The provider's own anthropic-ratelimit headers then stay in the record alone")),
            ],
            options={
                'ordering': ('name',),
                'permissions': [('exempt_from_limits', 'Keys owned by them are exempt from limits and budgets')],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Limit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]*$', 'Use lower-case letters, digits, dots, underscores and hyphens.')])),
                ('scope', models.CharField(choices=[('everything', 'everything'), ('team', 'team'), ('member', 'member'), ('key', 'key'), ('session', 'session'), ('model', 'model'), ('provider', 'provider'), ('address', 'address')], default='everything', help_text='What has a counter of its own: one for everything, or one for each team, member, key and so on', max_length=12)),
                ('names', models.JSONField(blank=True, default=list, help_text='Only these of them: names or patterns such as ci-*, of addresses networks; empty: each of them', validators=[gateway.models.validators.check_texts])),
                ('when_unknown', models.CharField(choices=[('allow', 'allow: by what this process knows'), ('refuse', 'refuse: with 503, until it is known')], default='allow', help_text='While the count cannot be known, because Redis or the ledger is out of reach', max_length=8)),
                ('enabled', models.BooleanField(default=True)),
                ('models', models.JSONField(blank=True, default=list, help_text='Only requests for these models, or patterns such as claude-opus-*; empty: for all', validators=[gateway.models.validators.check_texts])),
                ('requests_per_second', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0.01)])),
                ('requests_per_minute', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0.01)])),
                ('burst', models.PositiveIntegerField(blank=True, help_text='How many requests may come at once before the rate counts; empty: as many as the rate allows in its second or minute', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('tokens_per_minute', models.PositiveBigIntegerField(blank=True, help_text='Input and output together, cached input included', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('concurrent', models.PositiveIntegerField(blank=True, help_text='Requests under way at once', null=True, validators=[django.core.validators.MinValueValidator(1)])),
            ],
            options={
                'ordering': ('name',),
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='gatewaysettings',
            name='default_input_price',
            field=models.FloatField(blank=True, default=5.0, help_text='What budgets count for a model without a price: USD for a million input tokens; empty: nothing', null=True, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AddField(
            model_name='gatewaysettings',
            name='default_output_price',
            field=models.FloatField(blank=True, default=25.0, help_text='The same for output tokens', null=True, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.CreateModel(
            name='BudgetEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('budget', models.CharField(max_length=64)),
                ('scope', models.CharField(choices=[('everything', 'everything'), ('team', 'team'), ('member', 'member'), ('key', 'key'), ('session', 'session'), ('model', 'model'), ('provider', 'provider'), ('address', 'address')], max_length=12)),
                ('subject', models.TextField(blank=True)),
                ('period', models.CharField(choices=[('daily', 'daily'), ('weekly', 'weekly'), ('monthly', 'monthly')], max_length=8)),
                ('window_start', models.DateTimeField()),
                ('window_end', models.DateTimeField()),
                ('threshold', models.PositiveSmallIntegerField(help_text='percent')),
                ('unit', models.CharField(choices=[('US dollars', 'USD'), ('tokens', 'tokens')], max_length=12)),
                ('used', models.FloatField()),
                ('amount', models.FloatField(help_text='what the budget allows')),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-pk',),
                'constraints': [models.UniqueConstraint(fields=('budget', 'subject', 'window_start', 'threshold', 'unit'), name='budget_event_once')],
            },
        ),
        migrations.CreateModel(
            name='BudgetStanding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('budget', models.CharField(help_text='its name', max_length=64)),
                ('subject', models.TextField(blank=True, help_text='which team, key and so on; empty: everything')),
                ('window_start', models.DateTimeField()),
                ('window_end', models.DateTimeField()),
                ('usd', models.FloatField(default=0.0)),
                ('tokens', models.FloatField(default=0.0)),
                ('told_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('budget', 'subject'),
                'indexes': [models.Index(fields=['window_end'], name='budgetstanding_end')],
                'constraints': [models.UniqueConstraint(fields=('budget', 'subject', 'window_start'), name='budget_standing_once')],
            },
        ),
        *(trigger(table) for table in TABLES),
    ]
