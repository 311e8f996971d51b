"""Did something change that makes now a good time?"""

from prospects.agents.judging import evidence_agent

AGENT = evidence_agent("timing", order=2)
