from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("gateway", "0032_overall_sums"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="http2",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Requests share connections, where the provider takes HTTP/2 over TLS",
                verbose_name="HTTP/2",
            ),
        ),
    ]
