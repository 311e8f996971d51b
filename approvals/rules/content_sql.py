"""The SQL twin of :func:`approvals.rules.content.content_hash`: PostgreSQL checks what it is asked to store."""

#: Installed by a migration. Netstrings (``<bytes>:<utf8>,``) leave no two different contents with one canonical form.
NETSTRING_SQL = """
CREATE OR REPLACE FUNCTION salesops_netstring(part text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT convert_to(octet_length(convert_to(part, 'UTF8'))::text || ':' || part || ',', 'UTF8')
$$;
"""

CONTENT_HASH_SQL = """
CREATE OR REPLACE FUNCTION salesops_content_hash(
    channel text, recipient text, sender text, subject text, body text, attachments text[], rule_version text
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT encode(sha256(
        salesops_netstring(channel) || salesops_netstring(recipient) || salesops_netstring(sender)
        || salesops_netstring(subject) || salesops_netstring(body)
        || salesops_netstring(array_to_string(attachments, E'\\n')) || salesops_netstring(rule_version)
    ), 'hex')
$$;
"""

DROP_SQL = """
DROP FUNCTION IF EXISTS salesops_content_hash(text, text, text, text, text, text[], text);
DROP FUNCTION IF EXISTS salesops_netstring(text);
"""
