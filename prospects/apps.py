from django.apps import AppConfig
from django.db import InterfaceError, OperationalError


class ProspectsConfig(AppConfig):
    name = "prospects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Bring prospects to the runtime, and their own facts to the timeline."""
        from playbooks import previews
        from playbooks.services import stops
        from prospects.erasure.own_part import PART
        from prospects.erasure.parts import register_part
        from prospects.host.store import HOST
        from prospects.reading.own_timeline import own_events
        from prospects.reading.previews import judged, people
        from prospects.reading.timeline import register_timeline
        from prospects.services.converging import halting
        from salesops.runtime import faults
        from salesops.runtime.ports import register_host

        for lost in (InterfaceError, OperationalError):
            faults.register(lost, faults.Fault.NETWORK)
        register_host(HOST)
        previews.register(criterion=judged, people=people)
        register_timeline("prospects", own_events)
        register_part("prospects", PART)
        stops.follow("prospects", halting.FOLLOWER)
