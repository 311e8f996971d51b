from django.db import migrations

import salesops.dbtypes

# What a line said under its name now stands in columns, those of the composite under their layer. The same numbers,
# written another way: nothing is computed anew.
_TO_COLUMNS = """
CREATE FUNCTION pg_temp.by_column(lines jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'criterion', coalesce(jsonb_agg(line -> 'criterion' ORDER BY n), '[]'),
        'weight', coalesce(jsonb_agg(line -> 'weight' ORDER BY n), '[]'),
        'value', coalesce(jsonb_agg(line -> 'value' ORDER BY n), '[]'),
        'fresh', coalesce(jsonb_agg(line -> 'fresh' ORDER BY n), '[]'),
        'contribution', coalesce(jsonb_agg(line -> 'contribution' ORDER BY n), '[]'),
        'evidence_id', coalesce(jsonb_agg(line -> 'evidence_id' ORDER BY n), '[]'))
    FROM jsonb_array_elements(lines) WITH ORDINALITY AS l (line, n) WHERE line ->> 'contribution' IS NOT NULL
$$;
CREATE FUNCTION pg_temp.with_columns(breakdown jsonb) RETURNS json LANGUAGE sql AS $$
    SELECT (CASE
        WHEN breakdown ? 'layers' THEN (breakdown - 'criteria') || jsonb_build_object('layers', (
            SELECT jsonb_agg(layer || jsonb_build_object('criteria', pg_temp.by_column((
                SELECT coalesce(jsonb_agg(line ORDER BY n), '[]')
                FROM jsonb_array_elements(breakdown -> 'criteria') WITH ORDINALITY AS l (line, n)
                WHERE line -> 'layer' = layer -> 'layer'))) ORDER BY place)
            FROM jsonb_array_elements(breakdown -> 'layers') WITH ORDINALITY AS y (layer, place)))
        WHEN breakdown ? 'parts' THEN breakdown - 'criteria'
        WHEN breakdown ? 'criteria' THEN jsonb_build_object('criteria', pg_temp.by_column(breakdown -> 'criteria'))
        ELSE breakdown END)::json
$$;
ALTER TABLE prospects_score ALTER COLUMN breakdown TYPE json USING pg_temp.with_columns(breakdown);
"""


class Migration(migrations.Migration):
    dependencies = [("prospects", "0024_people_of_their_client")]

    operations = [
        migrations.RunSQL(
            _TO_COLUMNS,
            state_operations=[
                migrations.AlterField(
                    model_name="score",
                    name="breakdown",
                    field=salesops.dbtypes.JsonDocument(
                        help_text="Per criterion: weight, value, contribution, evidence id; per layer: score."
                    ),
                )
            ],
        )
    ]
