"""Every task is registered and goes to its queue; a nudge that cannot be sent costs nothing."""

import pytest
from django.conf import settings
from django.db import transaction

from approvals.services import nudge
from salesops.celery import app

SWEEPS = sorted({str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()})


@pytest.mark.parametrize("name", SWEEPS)
def test_whatever_is_scheduled_is_a_task(name: str) -> None:
    app.loader.import_default_modules()
    assert name in app.tasks


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("approvals.tasks.sweep_outbox", "outreach"),
        ("prospects.tasks.converge_batch", "research"),
        ("prospects.tasks.sweep_funnel", "default"),
        ("prospects.tasks.count_funnel", "default"),
        ("prospects.tasks.sweep_imports", "default"),
        ("prospects.tasks.sweep_duplicates", "default"),
    ],
)
def test_quick_sweeps_never_wait_behind_research(task: str, queue: str) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_no_task_but_an_import_outlives_the_time_after_which_it_is_handed_out_again() -> None:
    app.loader.import_default_modules()
    ours = {name: task.time_limit or app.conf.task_time_limit for name, task in app.tasks.items() if ".tasks." in name}
    again = app.conf.broker_transport_options["visibility_timeout"]
    assert [name for name, limit in ours.items() if limit >= again] == ["prospects.tasks.run_import"]


@pytest.mark.django_db(transaction=True)
def test_a_nudge_into_a_queue_that_is_away_is_only_a_log_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise RuntimeError("whatever a broker can raise")

    monkeypatch.setattr("approvals.tasks.sweep_outbox.apply_async", away)
    with transaction.atomic():
        nudge.outbox()
