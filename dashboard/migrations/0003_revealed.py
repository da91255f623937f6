"""One more thing that is written down: that somebody had hidden text shown."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0002_audit_events_stay"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="action",
            field=models.CharField(
                choices=[
                    ("signed in", "Signed In"), ("sign-in failed", "Sign In Failed"), ("signed out", "Signed Out"),
                    ("account changed", "Account"), ("read", "Read"), ("exported", "Exported"),
                    ("revealed", "Revealed"), ("changed", "Changed"),
                ],
                max_length=16,
            ),
        ),
    ]  # fmt: skip
