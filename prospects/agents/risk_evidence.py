"""What speaks against it? A strong negative rules the prospect out."""

from prospects.agents.judging import evidence_agent

AGENT = evidence_agent("risk", order=4)
