"""One order for all facts: agents compare positions in it with their watermarks."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunSQL("CREATE SEQUENCE IF NOT EXISTS fact_no START 2", "DROP SEQUENCE IF EXISTS fact_no")]
