"""Do they invest their own time?"""

from prospects.agents.judging import evidence_agent

AGENT = evidence_agent("commitment", order=5)
