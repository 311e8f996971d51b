from django.apps import AppConfig


class PlaybooksConfig(AppConfig):
    name = "playbooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the checks what the columns can hold."""
        from playbooks.models.limits import limits as of_the_columns
        from playbooks.rules import limits

        limits.register(of_the_columns())
