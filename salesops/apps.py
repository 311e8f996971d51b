from django.apps import AppConfig


class SalesOpsConfig(AppConfig):
    name = "salesops"
    verbose_name = "SalesOps"

    def ready(self) -> None:
        """Load the Celery app, so that a task called from any process goes to our broker."""
        from salesops import celery  # noqa: F401
