import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import salesops.dbtypes
import salesops.guards
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('playbooks', '0001_initial'),
        ('prospects', '0003_turns_and_answers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SourceState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=40)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('open_until', models.DateTimeField(blank=True, help_text='Not asked before.', null=True)),
                ('halted_at', models.DateTimeField(blank=True, help_text='Refused our key; a person has to resume it.', null=True)),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('last_error_at', models.DateTimeField(blank=True, null=True)),
                ('last_ok_at', models.DateTimeField(blank=True, null=True)),
                ('warning', models.CharField(blank=True, help_text='What the source announced, such as its end.', max_length=500)),
                ('retired_at', models.DateTimeField(blank=True, help_text='Gone for good: its fallback is asked.', null=True)),
                ('resumed_at', models.DateTimeField(blank=True, null=True)),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='playbooks.client')),
                ('resumed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['source'],
            },
        ),
        migrations.CreateModel(
            name='SourceAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(help_text="The source's key in the playbook.", max_length=40)),
                ('type', models.CharField(help_text='The kind of document asked for.', max_length=60)),
                ('lookup_key', models.CharField(max_length=64)),
                ('subject', models.CharField(help_text="What was asked about: a domain, a company's name, a page.", max_length=300)),
                ('status', models.CharField(choices=[('ok', 'Answered'), ('empty', 'Nothing known'), ('failed', 'Failed')], max_length=8)),
                ('fetched_at', models.DateTimeField()),
                ('content_hash', models.CharField(blank=True, help_text='sha256 of what the documents say.', max_length=64)),
                ('documents', models.JSONField(blank=True, default=list)),
                ('next_page', models.CharField(blank=True, help_text='Where a scan goes on after this page.', max_length=2000)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('cost', models.DecimalField(decimal_places=6, default=0, max_digits=12)),
                ('trace_id', models.CharField(default=salesops.dbtypes.new_trace_id, editable=False, max_length=32)),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='playbooks.client')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('client', 'source', 'lookup_key', 'fetched_at'), name='source_answer_once'), models.CheckConstraint(condition=models.Q(('cost__gte', 0)), name='source_answer_cost_not_negative')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourceanswer',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=salesops.guards.GuardSql(func="RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';", hash='ccdebe9092da98bbfd49a3c32815e9b9a134046d', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_1d8a4', table='prospects_sourceanswer', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourceanswer',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=salesops.guards.GuardSql(func="RAISE EXCEPTION '% cannot be truncated', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';", hash='1d96540e273a420b33b441ff239be0543477b145', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_dbbe9', table='prospects_sourceanswer', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='sourcestate',
            constraint=models.UniqueConstraint(fields=('client', 'source'), name='source_state_once'),
        ),
    ]
