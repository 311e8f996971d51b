from django.apps import AppConfig


class ProspectsConfig(AppConfig):
    name = "prospects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Bring prospects to the runtime."""
        from prospects.runtime_store import HOST
        from salesops.runtime.ports import register_host

        register_host(HOST)
