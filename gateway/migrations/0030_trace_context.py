"""The trace a client counts its request to. Both columns are empty in what is there, so no row is rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0029_certified_erasure"),
    ]

    operations = [
        migrations.AddField(
            model_name="requestlog",
            name="trace_id",
            field=models.TextField(help_text="W3C trace the client counts it to: 32 hexadecimal digits", null=True),
        ),
        migrations.AddField(
            model_name="requestlog",
            name="parent_span_id",
            field=models.TextField(help_text="the client's span it was asked under: 16 of them", null=True),
        ),
    ]
