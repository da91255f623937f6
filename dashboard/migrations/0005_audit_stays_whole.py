"""PostgreSQL empties no audit log: a trigger for each row does not see TRUNCATE."""

from django.db import migrations

TRIGGER = """
CREATE TRIGGER turnlog_audit_stays_whole BEFORE TRUNCATE ON dashboard_auditevent
FOR EACH STATEMENT EXECUTE FUNCTION turnlog_audit_stays();
"""
BACK = "DROP TRIGGER turnlog_audit_stays_whole ON dashboard_auditevent;"


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0004_saved_views")]

    operations = [migrations.RunSQL(TRIGGER, BACK)]
