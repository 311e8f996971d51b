"""What agents are handed under one playbook version: its language models and its outside sources."""

from __future__ import annotations

from playbooks.models import PlaybookVersion
from salesops.runtime.toolbox import LanguageModel, Sources


class ProspectToolbox:
    """See :class:`salesops.runtime.toolbox.Toolbox`. Tools are made on first use and live as long as the scope."""

    def __init__(self, version: PlaybookVersion, *, trace_id: str) -> None:
        self._version = version
        self._trace_id = trace_id

    def model(self, agent: str) -> LanguageModel | None:
        """The agent's model as the playbook and the environment set it."""
        del agent
        return None

    def sources(self, agent: str) -> Sources | None:
        """The playbook's sources, for agents that look things up."""
        del agent
        return None
