"""Between which bounds a playbook may say how likely two records must be one to be merged, or shown to a person."""

from __future__ import annotations

#: As likely one as two: what is less likely is not even compared to the end.
LIKELIER_ONE = 0.5
#: The most a pair that contradicts itself can score, whatever else agrees: no playbook merges those without asking.
MOST_CONTRADICTED = 0.95
#: Where a playbook says nothing. One wrong merge in a hundred is the most we take without asking: it costs trust.
MERGE = 0.99
