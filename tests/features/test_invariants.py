"""What every convergence promises, held against the real database; ``conftest.py`` says how it comes about."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_bdd import parsers, scenarios, then

from approvals.models import ApprovalRequest, CapturedMail, Decision, Dispatch, Message, Task
from approvals.rules.quality import unresolved_placeholders
from playbooks.models import AuditEntry, Playbook
from prospects.models import AgentRun, Contact, Evidence, Prospect, Score, Signal, StageTransition
from prospects.rules.written import lines_of
from tests.features.conftest import FITS, GONE, QUIET, World, count_rows

pytestmark = pytest.mark.django_db
scenarios("semantic.feature", "acceptance.feature", "implementations.feature")


@then("every piece of evidence cites at least one signal of its own prospect")
def _() -> None:
    rows = list(Evidence.objects.all())
    assert rows
    for row in rows:
        assert row.signal_ids
        own = Signal.objects.filter(prospect=row.prospect_id, pk__in=row.signal_ids).count()
        assert own == len(set(row.signal_ids))


@then("every derived signal leads back to an imported one")
def _() -> None:
    for row in Signal.objects.filter(run__isnull=False):
        if row.kind == "contact":  # an assessment of somebody on file, made of what is on file
            assert Contact.objects.filter(pk=row.data["contact_id"], client=row.client_id).exists()
            continue
        origin = Signal.objects.get(pk=row.data["derived_from"]["signal_id"])
        assert origin.prospect_id == row.prospect_id
        assert origin.run_id is None


@then("every quote stands word for word in a signal it cites")
def _() -> None:
    for row in Evidence.objects.exclude(quote=""):
        signals = Signal.objects.filter(pk__in=row.signal_ids)
        texts = [s.text for s in signals] + [text for s in signals for text in flat(s.data)]
        texts += [f"{s.value:g}" for s in signals if s.value is not None]
        assert any(row.quote in text for text in texts), row.quote


def flat(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from flat(inner)
    elif isinstance(value, list):
        yield ", ".join(map(str, value))
    else:
        yield str(value)


@then("every composite can be added up again from its breakdown")
def _() -> None:
    rows = list(Score.objects.filter(scorecard="icp"))
    assert rows
    for row in rows:
        known = [part for part in row.breakdown["layers"] if part["value"] is not None]
        lines = list(lines_of(row.breakdown))
        layers = {line.layer for line in lines if line.evidence_id is not None}
        counted = [part for part in known if part["layer"] in layers]
        total = sum(part["weight"] * part["value"] for part in counted) / sum(part["weight"] for part in counted)
        assert row.value == pytest.approx(total)
        for part in counted:
            mine = [line.contribution for line in lines if line.layer == part["layer"]]
            assert part["value"] == pytest.approx(sum(mine))


@then("every line of a breakdown names evidence of that prospect or is unknown")
def _() -> None:
    for row in Score.objects.all():
        for line in lines_of(row.breakdown):
            if line.evidence_id is None:
                assert line.value == 0.0
            else:
                assert Evidence.objects.get(pk=line.evidence_id).prospect_id == row.prospect_id


@then("every prospect stands where its last transition ends")
def _() -> None:
    for prospect in Prospect.objects.all():
        log = list(StageTransition.objects.filter(prospect=prospect, pipeline="prospect").order_by("seq"))
        assert [row.seq for row in log] == list(range(1, len(log) + 1))
        assert prospect.stage == (log[-1].to_stage if log else "sourced")
        assert prospect.stage_seq == len(log)
        for before, after in itertools.pairwise(log):
            assert before.to_stage == after.from_stage


@then(parsers.parse("every qualified prospect has {number:d} independent categories of evidence"))
def _(number: int) -> None:
    for row in StageTransition.objects.filter(to_stage="qualified"):
        rows = list(Evidence.objects.filter(pk__in=row.evidence_ids))
        assert len({e.category for e in rows}) >= number
        facts = {(tuple(e.signal_ids), e.fact_ref) for e in rows}
        assert len(facts) >= number


@then("the company that was acquired is cold and rejected")
def _(world: World) -> None:
    gone = world.companies[GONE]
    gone.refresh_from_db()
    assert (gone.route, gone.verdict) == ("cold", "rejected")


@then("every message cites evidence of its own prospect")
def _() -> None:
    for row in Message.objects.all():
        cited = set(row.evidence_ids) | {i for claim in row.claims for i in claim["evidence_ids"]}
        assert Evidence.objects.filter(pk__in=cited, prospect=row.prospect_id).count() == len(cited)


@then("every claim stands in its message")
def _() -> None:
    assert Message.objects.exists()
    for row in Message.objects.all():
        for claim in row.claims:
            assert claim["sentence"] in row.body or claim["sentence"] in row.subject
            assert claim["evidence_ids"] or claim["source"]


@then("no message has an unresolved placeholder")
def _() -> None:
    for row in Message.objects.all():
        assert unresolved_placeholders(f"{row.subject}\n{row.body}") == ()


@then("only qualified prospects have messages")
def _(world: World) -> None:
    assert set(Message.objects.values_list("prospect", flat=True)) == {world.companies[FITS].pk}


@then("there is no evidence at all")
def _() -> None:
    assert not Evidence.objects.exists()


@then("every refusal is a diagnostic with an audit entry")
def _() -> None:
    refused = AgentRun.objects.filter(refused__gt=0)
    assert refused.exists()
    for run in refused:
        assert run.diagnostics.filter(kind="permission_denied").count() == run.refused
    audited = AuditEntry.objects.filter(event="agent.permission_denied").values_list("detail", flat=True)
    assert {detail["agent"] for detail in audited} == set(refused.values_list("agent", flat=True))


# --- then: acceptance ------------------------------------------------------------------------------------------------


@then("every prospect has a verdict and a reason")
def _() -> None:
    for prospect in Prospect.objects.all():
        assert prospect.verdict in ("qualified", "rejected", "stalled")
        assert prospect.verdict_reason


@then("every stalled prospect says what is missing")
def _() -> None:
    stalled = Prospect.objects.filter(verdict="stalled")
    assert stalled.exists()
    assert all(prospect.verdict_missing for prospect in stalled)


@then("no prospect is due any more")
def _() -> None:
    assert not Prospect.objects.due().exists()


@then("no row was added by the second time")
def _(world: World) -> None:
    assert count_rows() == world.before


@then("both runs have the same hash")
def _(world: World) -> None:
    assert world.report is not None
    assert world.other is not None
    assert world.report.digest == world.other.digest


@then("there is a waiting request for the company that fits and has just started to hire")
def _(world: World) -> None:
    assert list(ApprovalRequest.objects.values_list("prospect", "status")) == [(world.companies[FITS].pk, "waiting")]


@then("no prospect is asked about twice at once")
def _() -> None:
    waiting = Counter(ApprovalRequest.objects.filter(status="waiting").values_list("prospect", flat=True))
    asked = Counter(Task.objects.filter(status="open").exclude(agent="").values_list("prospect", "agent"))
    assert max([*waiting.values(), *asked.values()], default=1) == 1


@then("no decision, dispatch or mail exists")
def _() -> None:
    for model in (Decision, Dispatch, CapturedMail):
        assert not model.objects.exists()


@then(parsers.parse("every request shows evidence of at least {number:d} categories"))
def _(number: int) -> None:
    for request in ApprovalRequest.objects.all():
        shown = {e["category"] for part in request.dossier["why"] for e in part["evidence"]}
        assert len(request.dossier["categories"]) >= number
        assert set(request.dossier["categories"]) <= shown


@then("every request names its reason to write now with a date")
def _() -> None:
    for request in ApprovalRequest.objects.all():
        why = request.dossier["why_now"]
        assert why["text"]
        assert why["at"].startswith("2026-05-20")


@then("that company is qualified")
def _(world: World) -> None:
    quiet = world.companies[QUIET]
    quiet.refresh_from_db()
    assert (quiet.verdict, quiet.stage) == ("qualified", "qualified")


@then("they refuse with the person's reason")
def _(world: World) -> None:
    assert "Prices are changing" in world.refused


@then("no agent has run")
def _() -> None:
    assert not AgentRun.objects.exists()
    assert Playbook.objects.exists()
