from functools import cache

from django.apps import AppConfig, apps


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
    from salesops.runtime.registry import discover  # agents are found once all apps are loaded

    names = [config.name for config in apps.get_app_configs() if not config.name.startswith("django")]
    return {agent.name: frozenset(agent.implementations) for agent in discover(names)}
