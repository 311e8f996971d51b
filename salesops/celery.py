"""The Celery app. Its messages are nudges: what is due is always found again in PostgreSQL by a sweep."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.settings")

app = Celery("salesops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_our_logs(**_: Any) -> None:
    """Being connected is enough: Celery then leaves logging as settings.LOGGING has it."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
