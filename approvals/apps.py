from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Bring messages and requests to the runtime, and to each prospect's timeline."""
        from approvals.host.store import PORT
        from approvals.reading import metrics as own_metrics
        from approvals.reading.explain import SECTIONS
        from approvals.reading.next_steps import asked_about
        from approvals.reading.previews import worded
        from approvals.reading.timeline import events_of
        from approvals.reading.touches import last_touches
        from approvals.services import call_off, erase, merged
        from playbooks import previews
        from playbooks.services import stops
        from prospects.erasure.parts import register_part
        from prospects.reading.timeline import register_timeline
        from prospects.services import metrics
        from prospects.services.moving.handoffs import register_touches
        from prospects.services.next_steps import register_asked
        from salesops.runtime.ports import explainers, merge_listeners, register

        register(PORT)
        previews.register(template=worded)
        explainers.update(SECTIONS)
        register_timeline("approvals", events_of)
        register_touches(last_touches)
        register_asked(asked_about)
        stops.follow("approvals", call_off.FOLLOWER)
        merge_listeners["approvals"] = merged.withdraw
        register_part("approvals", erase.PART)
        for name, metric in own_metrics.METRICS.items():
            metrics.register(name, metric)
