"""Whether an address takes mail: the one adapter that any verification service fits.

A playbook declares its service as a source of kind json that delivers ``email_check``: the address stands in its
``{email}``, and its answer's word is mapped to ``status``. Answers are stored, cached, limited and paid for like all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playbooks.rules.sources import EMAIL_CHECK
from prospects.rules.people import INVALID, VERIFIED
from prospects.sources.catalogue import question_of
from prospects.sources.lookup import Asking, Desk, Job
from salesops.runtime.toolbox import Checked

#: What services call an address that takes mail, and one that does not. Any other word leaves it open.
_TAKES = frozenset({"true", "valid", "verified", "deliverable", "ok", "good", "safe", "yes"})
_TAKES_NOT = frozenset(
    {"false", "invalid", "undeliverable", "bounce", "bounced", "bad", "no", "do_not_mail", "rejected"}
)


class SourceVerifier:
    """The playbook's verification services, one after the other until one of them can tell.

    ``jobs`` are the questions of the last call, with what they cost.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.jobs: list[Job] = []

    def verify(self, addresses: Mapping[int, Sequence[str]]) -> Mapping[str, Checked]:
        """What is known about each address, given by the prospects that want to know; nothing without a service.

        Never raises for the network.
        """
        self.jobs = []
        asking = Asking(self._desk)
        left: dict[str, list[int]] = {}
        for prospect, wanted in addresses.items():
            for address in wanted:
                left.setdefault(address, []).append(prospect)
        said: dict[str, Checked] = {}
        for config in self._desk.catalogue.delivering(frozenset({EMAIL_CHECK}), asking.standings):
            jobs: dict[str, Job] = {}
            for address in sorted(left):
                filled = {"name": address, "domain": address.rpartition("@")[2], "email": address}
                question = question_of(config, filled, self._desk.office.reach)
                if not isinstance(question, str):
                    jobs[address] = Job(config, question, left[address])
            asking.run(list(jobs.values()))
            self.jobs += jobs.values()
            for address, job in jobs.items():
                said[address] = _heard(job)
                if said[address].verdict:
                    del left[address]
        return said


def _heard(job: Job) -> Checked:
    problem = f"{job.config.key}: {job.words[0]}" if job.words else ""
    for document in job.answer.documents if job.answer is not None else ():
        verdict = verdict_of((document.get("data") or {}).get("status"))
        if verdict:
            return Checked(verdict, job.config.key, problem)
    return Checked("", job.config.key, problem)


def verdict_of(word: Any) -> str:
    """A service's word as ours; empty when it does not decide."""
    said = str(word).strip().casefold().replace("-", "_")
    return VERIFIED if said in _TAKES else INVALID if said in _TAKES_NOT else ""
