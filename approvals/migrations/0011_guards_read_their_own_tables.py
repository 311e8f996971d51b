"""Guards that are there already find their tables where they are, and not where a session says.

New ones are made so: see ``salesops.guards.GuardSql``.
"""

from django.db import migrations

PIN = """
DO $own$
DECLARE guard regprocedure;
BEGIN
    FOR guard IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
        AND p.prorettype = 'trigger'::regtype AND p.proname LIKE 'pgtrigger\\_%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', guard, current_schema());
    END LOOP;
END
$own$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0010_requests_and_sendings_hold"),
        ("playbooks", "0011_guards_hold"),
        ("prospects", "0021_prospects_keep_their_origin"),
    ]

    operations = [migrations.RunSQL(PIN, migrations.RunSQL.noop)]
