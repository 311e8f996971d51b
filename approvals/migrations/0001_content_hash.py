"""PostgreSQL's own content hash, before the triggers that call it."""

from django.db import migrations

from approvals.rules.content_sql import CONTENT_HASH_SQL, DROP_SQL, NETSTRING_SQL


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunSQL(NETSTRING_SQL + CONTENT_HASH_SQL, DROP_SQL)]
