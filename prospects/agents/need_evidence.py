"""Do they have the problem, by what they do or say?"""

from prospects.agents.judging import evidence_agent

AGENT = evidence_agent("need", order=3)
