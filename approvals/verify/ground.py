"""The ground under decisions: rows that are gone, facts that were moved elsewhere, and what somebody saw who decided.

A dossier is sealed into the audit chain when somebody decides on it; here the rows it was taken from are held against
it. Who was erased has lost words in both, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from salesops.sql import fetch

_NOT_ERASED = """NOT EXISTS (SELECT 1 FROM prospects_erasure x WHERE x.client_id = r.client_id
  AND (r.contact_id = ANY(x.contact_ids) OR r.prospect_id = ANY(x.prospect_ids)))"""
_SEEN = f"""approvals_approvalrequest r
WHERE EXISTS (SELECT 1 FROM approvals_decision d WHERE d.request_id = r.id) AND {_NOT_ERASED}"""  # noqa: S608 — constants

_GONE = """
SELECT 'approvals_decision', a.subject_id, 'it was made, and is not there' FROM playbooks_auditentry a
WHERE a.event = 'decision.made' AND a.subject_type = 'approvals.decision'
  AND NOT EXISTS (SELECT 1 FROM approvals_decision d WHERE d.id = a.subject_id AND d.client_id = a.client_id)
UNION ALL SELECT 'approvals_dispatch', (a.detail->>'dispatch')::bigint, 'it was approved, and is not there'
FROM playbooks_auditentry a WHERE a.event = 'decision.made' AND a.detail ? 'dispatch' AND NOT EXISTS (SELECT 1
  FROM approvals_dispatch s WHERE s.id = (a.detail->>'dispatch')::bigint AND s.decision_id = a.subject_id)
UNION ALL SELECT 'approvals_approvalrequest', d.request_id, 'it was decided, and is not there' FROM approvals_decision d
WHERE NOT EXISTS (SELECT 1 FROM approvals_approvalrequest r WHERE r.id = d.request_id AND r.client_id = d.client_id)
UNION ALL SELECT 'approvals_message', d.message_id, 'it was decided on, and is not there' FROM approvals_decision d
WHERE NOT EXISTS (SELECT 1 FROM approvals_message m WHERE m.id = d.message_id AND m.client_id = d.client_id)
ORDER BY 1, 2
"""

_REQUESTS = f"""
SELECT 'approvals_approvalrequest', r.id, 'it says otherwise than its dossier' FROM {_SEEN} AND r.dossier ? 'message'
  AND (r.facts_no, r.grade, r.channel) IS DISTINCT FROM
    ((r.dossier->>'facts_no')::bigint, r.dossier#>>'{{message,grade}}', r.dossier#>>'{{message,channel}}')
UNION ALL SELECT 'approvals_approvalrequest', r.id, 'its prospect had no score, and its dossier shows one'
FROM {_SEEN} AND jsonb_typeof(r.dossier#>'{{prospect,composite}}') = 'number' AND NOT EXISTS (SELECT 1
  FROM prospects_score s WHERE s.prospect_id = r.prospect_id AND s.scorecard = 'icp'
  AND s.computed_at <= (r.dossier->>'built_at')::timestamptz)
ORDER BY 1, 2
"""  # noqa: S608 — constants

_MESSAGES = f"""
SELECT 'approvals_message', m.id, 'it is not what request ' || r.id || ' was decided on' FROM approvals_message m,
{_SEEN} AND r.dossier ? 'message' AND m.id = r.message_id AND (NOT r.dossier->'message' @> jsonb_build_object(
  'angle', m.angle, 'rationale', m.rationale, 'confidence', m.confidence, 'confidence_low', m.confidence_low,
  'confidence_high', m.confidence_high, 'grade', m.grade, 'template_key', m.template_key,
  'compliance', jsonb_build_object('verdict', m.compliance))
  OR r.dossier#>'{{message,sentences}}' IS DISTINCT FROM (SELECT coalesce(jsonb_agg(
    jsonb_build_object('text', c->'sentence', 'evidence_ids', c->'evidence_ids')), '[]')
    FROM jsonb_array_elements(m.claims) c))
ORDER BY 2
"""  # noqa: S608 — constants

# Every piece of evidence that somebody saw, with the signals that stood under it.
_SIGNALS = f"""
SELECT CASE WHEN s.id IS NULL OR e.signal_ids @> ARRAY[s.id] THEN 'prospects_signal' ELSE 'prospects_evidence' END,
  coalesce(CASE WHEN e.signal_ids @> ARRAY[s.id] THEN s.id ELSE e.id END, (g->>'id')::bigint),
  'it is not what request ' || r.id || ' was decided on'
FROM (SELECT r.id, r.client_id, r.dossier FROM {_SEEN}) r
CROSS JOIN LATERAL jsonb_array_elements(r.dossier->'why') l
CROSS JOIN LATERAL jsonb_array_elements(l->'evidence') v
CROSS JOIN LATERAL jsonb_array_elements(v->'signals') g
JOIN prospects_evidence e ON e.id = (v->>'id')::bigint
LEFT JOIN prospects_signal s ON s.id = (g->>'id')::bigint
WHERE (e.signal_ids @> ARRAY[s.id] AND (s.kind, s.text, s.source, s.source_ref, s.observed_at)
    = (g->>'kind', g->>'text', g->>'source', g->>'source_ref', (g->>'observed_at')::timestamptz)) IS NOT TRUE
  AND NOT EXISTS (SELECT 1 FROM prospects_erasure x WHERE x.client_id = r.client_id
    AND s.prospect_id = ANY(x.prospect_ids))
ORDER BY 1, 2
"""  # noqa: S608 — constants

_MISPLACED = """
SELECT 'prospects_evidence', e.id, 'it is not its prospect''s' FROM prospects_evidence e
LEFT JOIN prospects_prospect p ON p.id = e.prospect_id
LEFT JOIN playbooks_playbookversion v ON v.id = e.playbook_version_id
WHERE (p.client_id = e.client_id AND v.playbook_id = p.playbook_id) IS NOT TRUE
UNION ALL SELECT 'prospects_evidence', e.id, 'it rests on no signal, or on one that is not there'
FROM prospects_evidence e WHERE e.signal_ids = '{}' OR EXISTS (SELECT 1 FROM unnest(e.signal_ids) i
  WHERE NOT EXISTS (SELECT 1 FROM prospects_signal s WHERE s.id = i AND s.client_id = e.client_id))
UNION ALL SELECT 'prospects_score', s.id, 'it is not its prospect''s' FROM prospects_score s
LEFT JOIN prospects_prospect p ON p.id = s.prospect_id
LEFT JOIN playbooks_playbookversion v ON v.id = s.playbook_version_id
WHERE (p.client_id = s.client_id AND v.playbook_id = p.playbook_id) IS NOT TRUE
UNION ALL SELECT 'approvals_approvalrequest', r.id, 'it is not its prospect''s' FROM approvals_approvalrequest r
LEFT JOIN prospects_prospect p ON p.id = r.prospect_id
LEFT JOIN playbooks_playbookversion v ON v.id = r.playbook_version_id
WHERE (p.client_id = r.client_id AND v.playbook_id = p.playbook_id) IS NOT TRUE
ORDER BY 1, 2
"""

# The log of each row's stages from its birth on, without a gap, to where it stands.
_LOG = """
SELECT id, to_stage, seq, prospect_id, pipeline, deal_id, customer_id, at,
  seq = row_number() OVER log AND from_stage = coalesce(lag(to_stage) OVER log, CASE pipeline
    WHEN 'prospect' THEN 'sourced' WHEN 'deal' THEN 'discovery' ELSE 'onboarding' END) AS follows,
  lead(id) OVER log IS NULL AS last
FROM prospects_stagetransition WINDOW log AS (PARTITION BY prospect_id, pipeline, deal_id, customer_id ORDER BY seq)
"""
_MOVES = f"""
WITH t AS MATERIALIZED ({_LOG})
SELECT 'prospects_stagetransition', t.id, 'it does not continue its log' FROM t WHERE NOT t.follows
UNION ALL SELECT 'prospects_prospect', p.id, 'its stage is not what its log says' FROM prospects_prospect p
LEFT JOIN t ON t.prospect_id = p.id AND t.pipeline = 'prospect' AND t.last
WHERE (p.stage, p.stage_seq) <> (coalesce(t.to_stage, 'sourced'), coalesce(t.seq, 0)) OR p.stage_since <> t.at
UNION ALL SELECT 'prospects_deal', d.id, 'its stage is not what its log says' FROM prospects_deal d
LEFT JOIN t ON t.prospect_id = d.prospect_id AND t.pipeline = 'deal' AND t.deal_id = d.id AND t.last
WHERE (d.stage, d.stage_seq) <> (coalesce(t.to_stage, 'discovery'), coalesce(t.seq, 0))
UNION ALL SELECT 'prospects_customer', c.id, 'its stage is not what its log says' FROM prospects_customer c
LEFT JOIN t ON t.prospect_id = c.prospect_id AND t.pipeline = 'customer' AND t.customer_id = c.id AND t.last
WHERE (c.stage, c.stage_seq) <> (coalesce(t.to_stage, 'onboarding'), coalesce(t.seq, 0))
UNION ALL SELECT 'prospects_stagetransition', m.id, 'it cites evidence that is not there'
FROM prospects_stagetransition m WHERE EXISTS (SELECT 1 FROM unnest(m.evidence_ids) i
  WHERE NOT EXISTS (SELECT 1 FROM prospects_evidence e WHERE e.id = i))
ORDER BY 1, 2
"""  # noqa: S608 — constants

# Who let what rule, whom and since when: the log of it and the audit log say the same, and so does the version itself.
_RULE = """
SELECT 'playbooks_playbookversion', v.id, 'it does not stand where the audit log says' FROM playbooks_playbookversion v
JOIN playbooks_playbook p ON p.id = v.playbook_id CROSS JOIN LATERAL (SELECT a.event FROM playbooks_auditentry a
  WHERE a.client_id = p.client_id AND a.subject_type = 'playbooks.playbookversion' AND a.subject_id = v.id
  AND a.event IN ('playbook.submitted', 'playbook.sent_back', 'playbook.approved', 'playbook.activated',
    'playbook.retired') ORDER BY a.seq DESC LIMIT 1) said
WHERE v.status <> CASE said.event WHEN 'playbook.sent_back' THEN 'draft' WHEN 'playbook.submitted' THEN 'in_review'
  WHEN 'playbook.activated' THEN 'active' ELSE substr(said.event, 10) END
UNION ALL SELECT 'playbooks_activation', r.id, 'the audit log does not say so' FROM playbooks_activation r
WHERE NOT EXISTS (SELECT 1 FROM playbooks_auditentry a WHERE a.trace_id = r.trace_id
  AND a.event = 'playbook.activated' AND a.subject_type = 'playbooks.playbookversion' AND a.subject_id = r.version_id
  AND a.actor_id IS NOT DISTINCT FROM r.by_id AND r.at BETWEEN a.at - interval '1 minute' AND a.at + interval '1 minute'
  AND coalesce(a.detail->>'applies_to', r.applies_to) = r.applies_to)
UNION ALL SELECT 'playbooks_playbookversion', a.subject_id, 'it began to rule, and no log of what ruled says so'
FROM playbooks_auditentry a WHERE a.event = 'playbook.activated' AND NOT EXISTS (SELECT 1 FROM playbooks_activation r
  WHERE r.version_id = a.subject_id AND r.trace_id = a.trace_id)
ORDER BY 1, 2
"""

#: What is looked at, in this order.
QUESTIONS: Final = (_GONE, _REQUESTS, _MESSAGES, _SIGNALS, _MISPLACED, _MOVES, _RULE)


def wrong() -> Iterator[tuple[str, int, str]]:
    """(table, row, what is wrong) of everything that is not what decisions rest on."""
    for question in QUESTIONS:
        yield from ((table, row, words) for table, row, words in fetch(question, ()))
