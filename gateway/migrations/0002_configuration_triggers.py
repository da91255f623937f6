"""Every statement that changes a configuration table raises the version and tells who listens."""

from django.db import migrations

TABLES = ("gateway_provider", "gateway_credential", "gateway_modelroute", "gateway_team", "gateway_apikey")

FUNCTION = """
CREATE FUNCTION turnlog_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    raised bigint;
BEGIN
    INSERT INTO gateway_configurationversion AS version (id, number, changed_at) VALUES (1, 1, now())
    ON CONFLICT (id) DO UPDATE SET number = version.number + 1, changed_at = now()
    RETURNING version.number INTO raised;
    PERFORM pg_notify('turnlog_config', raised::text);
    RETURN NULL;
END
$$;
"""


def trigger(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER turnlog_configuration_changed "
        f"AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION turnlog_configuration_changed()",
        f"DROP TRIGGER turnlog_configuration_changed ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION turnlog_configuration_changed()"),
        *(trigger(table) for table in TABLES),
    ]
