"""What a convergence came to: in one process, and by the rows that all processes left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Sum

from prospects.models import AgentRun, Convergence, Diagnostic
from salesops.runtime import digest
from salesops.runtime.outcome import Outcome


@dataclass(slots=True)
class Report:
    """What a convergence came to in this process."""

    convergence: Convergence
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """Hash over all proposals of the convergence, by whichever process they were made."""
        return digest_of(self.convergence)

    def as_dict(self) -> dict[str, Any]:
        """The document ``converge --json`` prints."""
        done = self.convergence
        return {
            "convergence": done.pk,
            "trace_id": done.trace_id,
            "client": done.client.slug,
            "playbook": done.playbook.slug,
            "version": done.version.number,
            "depth": done.depth,
            "seed": done.seed,
            "clock": done.clock.isoformat(),
            "status": done.status,
            "prospects": done.done,
            "cycles": done.cycles,
            "verdicts": {"qualified": done.qualified, "rejected": done.rejected, "stalled": done.stalled},
            "requests": done.requests,
            "runs": self.outcome.runs,
            "proposals": {
                "made": self.outcome.proposed,
                "promoted": self.outcome.promoted,
                "refused": self.outcome.refused,
                "refusals": dict(sorted(self.outcome.refusals.items())),
                "kinds": dict(sorted(self.outcome.kinds.items())),
            },
            "seconds": round(self.seconds, 3),
            "prospects_per_second": round(self.outcome.prospects / self.seconds, 1) if self.seconds else None,
            "digest": self.digest,
        }


def digest_of(convergence: Convergence) -> str:
    """Hash over every run of this convergence: the same facts, version, seed and clock give the same one."""
    runs = (
        AgentRun.objects.filter(convergence=convergence, status=AgentRun.Status.OK)
        .order_by("prospect_id", "agent", "watermark")
        .values_list("prospect__external_id", "prospect__company__domain", "agent", "digest")
        .iterator(chunk_size=5000)
    )
    return digest.of_convergence((external or domain or "", agent, own) for external, domain, agent, own in runs)


def outcome_of(convergence: Convergence) -> Outcome:
    """The counts of a convergence as its runs tell them, by whichever processes they were made."""
    runs = AgentRun.objects.filter(convergence=convergence)
    sums = runs.aggregate(n=Count("pk"), proposed=Sum("proposed"), promoted=Sum("promoted"), refused=Sum("refused"))
    outcome = Outcome(
        prospects=convergence.done, cycles=convergence.cycles, runs=sums["n"], proposed=sums["proposed"] or 0,
        promoted=sums["promoted"] or 0, refused=sums["refused"] or 0,
    )  # fmt: skip
    found = Diagnostic.objects.filter(run__convergence=convergence).values_list("kind").annotate(n=Count("pk"))
    outcome.refusals.update(dict(found.order_by()))
    return outcome
