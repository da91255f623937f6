"""The new tables of the configuration tell of their changes too."""

from importlib import import_module

from django.db import migrations, models

trigger = import_module("gateway.migrations.0002_configuration_triggers").trigger
TABLES = (
    "gateway_gatewaysettings", "gateway_outboundproxy", "gateway_provider_proxies", "gateway_routetarget",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_routing_and_resilience")]

    operations = [
        migrations.AlterField(
            model_name="modelroute",
            name="name",
            field=models.CharField(blank=True, help_text="Empty: as what it matches", max_length=200, unique=True),
        ),
        *(trigger(table) for table in TABLES),
    ]
