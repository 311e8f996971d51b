"""Does the company or person match the ideal customer?"""

from prospects.agents.judging import evidence_agent

AGENT = evidence_agent("fit", order=1)
