import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
import salesops.guards
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0005_merged_are_not_asked'),
        ('playbooks', '0005_sources'),
        ('prospects', '0009_triggers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Advice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('aspect', models.CharField(choices=[('history', 'What worked before'), ('timing', 'When'), ('saturation', 'Limits and fatigue')], max_length=12)),
                ('channel', models.CharField(blank=True, help_text='Empty: it holds for every channel.', max_length=16)),
                ('words', models.CharField(max_length=500)),
                ('data', models.JSONField(blank=True, default=dict)),
                ('not_before', models.DateTimeField(blank=True, null=True)),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('blocked', models.BooleanField(default=False, help_text='Nothing may be asked for before the time given, if any.')),
                ('fact_no', models.BigIntegerField(db_default=models.Func(models.Value('fact_no'), function='nextval', output_field=models.BigIntegerField()), editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='playbooks.client')),
                ('playbook_version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='playbooks.playbookversion')),
                ('prospect', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='advice', to='prospects.prospect')),
                ('run', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='prospects.agentrun')),
            ],
            options={
                'verbose_name_plural': 'advice',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['prospect', 'aspect', 'channel', '-fact_no'], name='advice_latest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('aspect__in', ['history', 'timing', 'saturation'])), name='advice_aspect_known'), models.CheckConstraint(condition=models.Q(('until__isnull', True), ('not_before__isnull', True), ('until__gt', models.F('not_before')), _connector='OR'), name='advice_window_in_order')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='advice',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=salesops.guards.GuardSql(func="RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';", hash='7ea0d66aa1eaa33a639a21eef2fc21273c46bc6d', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_5f638', table='approvals_advice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='advice',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=salesops.guards.GuardSql(func="RAISE EXCEPTION '% cannot be truncated', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';", hash='5f730879e9970483bb64b6c5543dbfce1b6d0680', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_be6f6', table='approvals_advice', when='BEFORE')),
        ),
    ]
