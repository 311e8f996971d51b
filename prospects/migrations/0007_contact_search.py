import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("prospects", "0006_model_answers")]

    operations = [
        migrations.RemoveConstraint(model_name="contact", name="contact_email_once"),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                models.F("client"),
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("name"), name="text_pattern_ops"
                ),
                name="contact_name_prefix",
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                condition=models.Q(("email_key", ""), _negated=True),
                fields=("client", "email_key"),
                name="contact_email_once",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            ),
        ),
    ]
