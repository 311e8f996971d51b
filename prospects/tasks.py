"""Celery tasks of the research queue: nudges. Due work is found in PostgreSQL, so losing one loses nothing."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from playbooks.models import Playbook
from prospects.funnel.filters import read_filters
from prospects.funnel.reading import read_funnel
from prospects.host import toolbox
from prospects.services import bulk, funnel_cells, triggers, what_if
from prospects.services.converging import converge, convergences, halting
from prospects.services.erasing import forgetting
from prospects.services.importing import uploads
from prospects.services.merging import duplicates


@worker_init.connect
def import_early(sender: Any, **_: Any) -> None:
    """A worker that runs agents is ready for them before its first batch."""
    if "research" in sender.app.amqp.queues.consume_from:
        toolbox.import_early()


@shared_task
def converge_batch(convergence_id: int, after: int) -> None:
    """Converge one batch of due prospects and hand on to the next."""
    following = converge.work(convergence_id, after)
    if following is not None:
        converge_batch.delay(convergence_id, following)


@shared_task
def sweep_convergences() -> None:
    """Find convergences that nobody is working on."""
    convergences.sweep(at=timezone.now())


@shared_task
def sweep_what_ifs() -> None:
    """Find what-ifs that nobody is working on."""
    what_if.sweep(at=timezone.now())


@shared_task
def wake_prospects() -> None:
    """Find prospects that wait for a stop which is over."""
    halting.wake(at=timezone.now())


@shared_task(soft_time_limit=300, time_limit=330)
def look_ahead(what_if_id: int) -> None:
    """Work on a what-if for a while, and hand on to the next."""
    try:
        more = what_if.work(what_if_id)
    except (OperationalError, InterfaceError):
        raise  # the database went away: the sweep takes it up again
    except Exception as error:
        what_if.fail(what_if_id, error)
        raise
    if more:
        look_ahead.delay(what_if_id)


@shared_task(soft_time_limit=900, time_limit=960)
def forget_answers() -> None:
    """Drop what sources and models said longer ago than is kept."""
    forgetting.forget(at=timezone.now())


@shared_task(soft_time_limit=120, time_limit=150)
def sweep_triggers() -> None:
    """Set the agents to work where a playbook says that they should set themselves to work."""
    triggers.sweep(at=timezone.now())


@shared_task
def sweep_funnel() -> None:
    """Let the funnel's summary cells follow what changed."""
    funnel_cells.sweep_funnel()


@shared_task
def count_funnel(playbook_id: int, query: dict[str, str]) -> None:
    """Count a funnel that several dimensions narrow, and keep the answer for the page."""
    playbook = Playbook.objects.select_related("client").get(pk=playbook_id)
    read_funnel(playbook, read_filters(query, client=playbook.client), at_any_cost=True)


@shared_task(soft_time_limit=120, time_limit=150)
def sweep_duplicates() -> None:
    """Make the keys that duplicates are found by, and merge sure pairs that were left."""
    duplicates.sweep(at=timezone.now())


@shared_task(soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60)
def run_import(batch_id: int) -> None:
    """Import an uploaded file; a second delivery finds the first at work and leaves."""
    uploads.run_stored(batch_id)


@shared_task
def sweep_imports() -> None:
    """Find imports that nobody is working on."""
    uploads.sweep(at=timezone.now())


@shared_task(soft_time_limit=120, time_limit=150)
def work_on_many(action_id: int) -> None:
    """Do the next batch of a bulk action and hand on to the next."""
    if bulk.work(action_id):
        work_on_many.delay(action_id)


@shared_task
def sweep_bulk() -> None:
    """Find bulk actions that nobody is working on."""
    bulk.sweep(at=timezone.now())
