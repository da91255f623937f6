"""Splits the bodies that were kept whole before there was a prefix tree; a few rows at a time, while the gateway serves."""

from django.db import migrations


def split(apps, schema_editor):
    from gateway.history.resplitting import split_whole_bodies

    for _ in split_whole_bodies():
        pass


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("gateway", "0013_search")]

    operations = [migrations.RunPython(split, migrations.RunPython.noop)]
