"""Nobody changes or removes what was written down: the database refuses it."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION turnlog_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END
$$;
CREATE TRIGGER turnlog_audit_stays BEFORE UPDATE OR DELETE ON dashboard_auditevent
FOR EACH ROW EXECUTE FUNCTION turnlog_audit_stays();
"""
BACK = """
DROP TRIGGER turnlog_audit_stays ON dashboard_auditevent;
DROP FUNCTION turnlog_audit_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0001_audit")]

    operations = [migrations.RunSQL(FUNCTION, BACK)]
