from django.apps import AppConfig


class SalesOpsConfig(AppConfig):
    name = "salesops"
    verbose_name = "SalesOps"

    def ready(self) -> None:
        """Load the Celery app, so that a task called from any process goes to our broker; tell playbooks the agents."""
        from playbooks import known_agents
        from salesops import celery  # noqa: F401
        from salesops.agent_numbers import ways_of_agents

        known_agents.register(ways_of_agents)
