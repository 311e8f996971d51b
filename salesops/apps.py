from functools import cache

from django.apps import AppConfig

from salesops.all_agents import registry


class SalesOpsConfig(AppConfig):
    name = "salesops"
    verbose_name = "SalesOps"

    def ready(self) -> None:
        """Load the Celery app, so that a task called from any process goes to our broker; tell playbooks the agents."""
        from playbooks.rules import known_agents
        from salesops import celery, checks  # noqa: F401 — each registers itself

        known_agents.register(ways_of_agents)


@cache
def ways_of_agents() -> dict[str, frozenset[str]]:
    """By whom each agent's work can be done: agent → implementations."""
    return {agent.name: frozenset(agent.implementations) for agent in registry()}
