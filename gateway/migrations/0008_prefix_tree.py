"""Requests are split into parts that are stored once; an answer's message is one of them.

Everything here goes while the gateway serves: columns without a rewrite, an index built concurrently, and what the release
before writes stays as it is.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from gateway.history.partitioned_model import AddPartitionedIndex, CreateMonthlyModel

KINDS = [(0, "skeleton"), (1, "tool"), (2, "system block"), (3, "message"), (4, "reply")]
# They hold what is compressed already: PostgreSQL need not try again.
COMPRESSED_COLUMNS = [("gateway_blob", "data"), ("gateway_manifestpage", "entries")]


def key():
    return (
        "pk",
        models.CompositePrimaryKey(
            "month", "scope", "digest", blank=True, editable=False, primary_key=True, serialize=False
        ),
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("gateway", "0007_more_configuration_triggers")]

    operations = [
        migrations.CreateModel(
            name="Scope",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("team", models.TextField(unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Epoch",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("number", models.IntegerField(default=0)),
            ],
        ),
        CreateMonthlyModel(
            name="Blob",
            fields=[
                key(),
                ("month", models.DateField()),
                ("scope", models.IntegerField()),
                ("epoch", models.IntegerField()),
                ("size", models.IntegerField(help_text="bytes before compression")),
                ("kind", models.SmallIntegerField(choices=KINDS)),
                ("digest", models.BinaryField()),
                ("data", models.BinaryField(help_text="packed: see gateway/history/packing.py")),
            ],
        ),
        CreateMonthlyModel(
            name="Node",
            fields=[
                key(),
                ("month", models.DateField()),
                ("scope", models.IntegerField()),
                ("epoch", models.IntegerField()),
                ("depth", models.IntegerField(help_text="1 for the first part")),
                ("kind", models.SmallIntegerField(choices=KINDS)),
                ("digest", models.BinaryField(help_text="of the parent's digest and the part's")),
                ("parent", models.BinaryField(null=True)),
                ("part", models.BinaryField(help_text="digest of the part's normal form")),
                ("blob", models.BinaryField(help_text="a blob that says what the part says")),
            ],
        ),
        CreateMonthlyModel(
            name="ManifestPage",
            fields=[
                key(),
                ("month", models.DateField()),
                ("scope", models.IntegerField()),
                ("epoch", models.IntegerField()),
                ("digest", models.BinaryField(help_text="of the page before and the entries")),
                ("previous", models.BinaryField(null=True)),
                ("entries", models.BinaryField(help_text="digests of blobs, one after the other")),
            ],
        ),
        migrations.RunSQL(
            [f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL" for table, column in COMPRESSED_COLUMNS],
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name="requestlog",
            name="prefix_leaf",
            field=models.BinaryField(help_text="the node of the last of its tools and system", null=True),
        ),
        migrations.AddField(
            model_name="requestlog",
            name="messages_leaf",
            field=models.BinaryField(help_text="the node of its last message; null: not split", null=True),
        ),
        migrations.AddField(
            model_name="requestlog",
            name="scope",
            field=models.IntegerField(db_default=0, help_text="whose blobs and nodes: a Scope, 0 for no team"),
        ),
        migrations.AlterField(
            model_name="responselog",
            name="message",
            field=models.BinaryField(help_text="what `reply` replaces; not written any more", null=True),
        ),
        migrations.AddField(
            model_name="responselog",
            name="reply",
            field=models.BinaryField(
                help_text="the blob of the accumulated message, as a client sends it back", null=True
            ),
        ),
        migrations.AddField(
            model_name="storedbody",
            name="skeleton",
            field=models.BinaryField(help_text="split: the blob of what is not a part", null=True),
        ),
        migrations.AddField(
            model_name="storedbody",
            name="heads",
            field=ArrayField(
                base_field=models.BinaryField(null=True),
                help_text="split: for each list its last full page",
                null=True,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="storedbody",
            name="tails",
            field=ArrayField(
                base_field=models.BinaryField(),
                help_text="split: for each list the blobs after that page",
                null=True,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="storedbody",
            name="whole_because",
            field=models.TextField(help_text="why a request's body was not split", null=True),
        ),
        AddPartitionedIndex(
            model_name="requestlog",
            index=models.Index(
                condition=models.Q(("messages_leaf__isnull", False)),
                fields=["messages_leaf"],
                name="requestlog_messages_leaf",
            ),
        ),
        migrations.RunSQL(
            "INSERT INTO gateway_epoch (id, number) VALUES (1, 0) ON CONFLICT DO NOTHING", migrations.RunSQL.noop
        ),
    ]
