"""The SQL that says what *erased* is: words gone, and nothing new in their place."""

#: Installed by a migration. Every leaf of ``now`` stands as it stood or reads "erased", and nothing has come in; keys
#: may be gone and lists emptied. Binary data reads as text here: ``\x`` is none. "erased" is
#: ``prospects.rules.erasing.WORD``.
ONLY_ERASED_SQL = r"""
CREATE OR REPLACE FUNCTION salesops_only_erased(was jsonb, now jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF was = now THEN
        RETURN true;
    ELSIF jsonb_typeof(was) IS DISTINCT FROM jsonb_typeof(now) THEN
        RETURN false;
    ELSIF jsonb_typeof(was) = 'string' THEN
        RETURN was <> '""' AND (now = '"erased"' OR now = '"\\x"' AND was #>> '{}' LIKE '\\x%');
    ELSIF jsonb_typeof(was) = 'object' THEN
        RETURN NOT EXISTS (SELECT 1 FROM jsonb_each(now) n
            WHERE NOT was ? n.key OR NOT salesops_only_erased(was -> n.key, n.value));
    ELSIF jsonb_typeof(was) = 'array' THEN
        RETURN now = '[]' OR jsonb_array_length(was) = jsonb_array_length(now) AND NOT EXISTS (
            SELECT 1 FROM jsonb_array_elements(now) WITH ORDINALITY AS n (value, place)
            WHERE NOT salesops_only_erased(was -> (n.place::integer - 1), n.value));
    END IF;
    RETURN false;
END;
$$;
"""

DROP_SQL = "DROP FUNCTION IF EXISTS salesops_only_erased(jsonb, jsonb);"
