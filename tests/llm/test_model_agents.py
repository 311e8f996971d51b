"""Agents given to a language model, against the real database and a provider on this machine."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from approvals.models import ApprovalRequest, Evaluation, Message
from playbooks.models import BudgetPeriod, PlaybookVersion
from prospects.agents import fit_evidence
from prospects.host.toolbox import models_missing
from prospects.models import AgentRun, Diagnostic, Evidence, ModelAnswer, Prospect, Signal
from salesops.bench.standin import Asked, Say, StandIn
from salesops.llm import prompts
from salesops.runtime.words import ImplementationKind
from tests import factories
from tests.llm import actors
from tests.llm.scene import ANTHROPIC
from tests.refusals import refuses
from tests.runtime import scene

pytestmark = pytest.mark.django_db

EVIDENCE = ("fit_evidence", "timing_evidence", "need_evidence", "risk_evidence")
ALL = ("signal_extraction", *EVIDENCE, "message_hypothesis", "channel_decision")
PAGE = "Larch opened a new office in Denver. Its old one in Boston stays."


@pytest.fixture
def provider(settings: LazySettings) -> Iterator[Callable[..., StandIn]]:
    """Starts a stand-in that behaves as told, and points the settings at it."""
    running: list[StandIn] = []

    def start(behaviour: Callable[[Asked], Say] = actors.honest, **fields: Any) -> StandIn:
        server = StandIn(behaviour, **fields)
        running.append(server.__enter__())
        llm = copy.deepcopy(settings.LLM)
        llm["MODELS"] = dict.fromkeys(("fast", "search", "analysis", "writing"), ANTHROPIC)
        llm["PRICES"] = {ANTHROPIC: {"in": "1", "out": "5"}}
        llm["BASE_URLS"] = {"anthropic": server.url}
        llm["TIMEOUT"], llm["ATTEMPTS"] = 5, 2
        settings.LLM = llm
        return server

    yield start
    for server in running:
        server.__exit__()


def playbook(*agents: str, tokens: int = 5_000_000, money: str = "300") -> PlaybookVersion:
    """The demo playbook with these agents given to a model."""
    rows = ", ".join(f"{{agent: {agent}, implementation: llm}}" for agent in agents)
    edit = {r"\nagents: \[\]": f"\nagents: [{rows}]", "tokens_per_day: 0": f"tokens_per_day: {tokens}"}
    return scene.demo(edit={**edit, "money_per_month: 300": f"money_per_month: {money}"})


def with_page(under: PlaybookVersion, text: str = PAGE, **fields: Any) -> Prospect:
    made = scene.company(under, scene.GOOD, **fields)
    factories.signal(
        made, kind="page", text=text, data={}, observed_at=scene.CHANGED, source="website",
        source_ref=f"https://{made.company.domain}/news", dedup_key=f"page:{made.company.domain}",
    )  # fmt: skip
    return scene.seen(made)


def notes(agent: str = "") -> list[str]:
    found = Diagnostic.objects.order_by("pk")
    return list((found.filter(agent=agent) if agent else found).values_list("message", flat=True))


def used(bucket: str) -> Decimal:
    return BudgetPeriod.objects.get(bucket=bucket).used


def test_evidence_of_four_agents_costs_one_question_and_cites_what_was_read(provider: Callable[..., StandIn]) -> None:
    under = playbook(*EVIDENCE)
    made = with_page(under)
    server = provider()
    scene.run(under)
    assert len(server.asked) == 1
    (answer,) = ModelAnswer.objects.all()
    assert (answer.prospect, answer.agent, answer.prompt) == (made, "fit_evidence", "prospects/evidence")
    row = Evidence.objects.get(prospect=made, criterion="industry")
    profile = Signal.objects.get(prospect=made, kind="profile")
    assert (row.quote, row.signal_ids, row.fact_ref, row.value) == ("B2B", [profile.pk], "industry", 90)
    assert row.run.implementation == "llm"
    by_rules = Evidence.objects.get(prospect=made, criterion="size")
    assert by_rules.value == 100, "what the model said nothing about is judged by rules"
    runs = {run.agent: run for run in AgentRun.objects.filter(agent__in=EVIDENCE)}
    assert (runs["fit_evidence"].tokens, runs["fit_evidence"].cost) == (520, Decimal("0.001"))
    assert (runs["risk_evidence"].tokens, runs["risk_evidence"].cost) == (0, 0)
    assert all(run.answers == [answer.pk] for run in runs.values())
    assert (used("tokens"), used("money")) == (520, Decimal("0.0010"))


def test_every_agent_can_be_a_model_and_the_way_to_a_request_stays_whole(provider: Callable[..., StandIn]) -> None:
    under = playbook(*ALL)
    made = with_page(under)
    provider()
    scene.run(under)
    made.refresh_from_db()
    assert (made.verdict, notes()) == ("qualified", [])
    expansion = Signal.objects.get(prospect=made, kind="expansion")
    assert expansion.text == "Larch opened a new office in Denver"
    assert expansion.data["derived_from"]["signal_id"] == Signal.objects.get(prospect=made, kind="page").pk
    messages = list(Message.objects.filter(prospect=made).order_by("pk"))
    assert {m.angle for m in messages} == {"problem", "direct"}
    contact, client = made.contact, under.playbook.client
    for message in messages:
        assert message.recipient == contact.email
        assert client.sender_email in message.sender
        assert message.body.startswith(f"Hi {contact.first_name},\n\nYou are hiring")
        assert client.postal_address in message.body
        assert "Unsubscribe: " in message.body
        assert {claim["kind"] for claim in message.claims} == {"fact", "proof"}
    chosen = Evaluation.objects.get(prospect=made, chosen=True)
    assert chosen.channel == "email"
    assert chosen.rationale.endswith("Chosen by a language model: It is worth most.")
    asked = ApprovalRequest.objects.get(prospect=made)
    assert asked.message in messages


def test_a_second_convergence_reads_the_stored_answers_and_comes_to_the_same(provider: Callable[..., StandIn]) -> None:
    """The runs and what they found are gone, as in a copy taken before them; the answers are there."""
    under = playbook(*EVIDENCE, "signal_extraction")
    for _ in range(3):
        with_page(under)
    server = provider()
    first = scene.run(under).digest
    asked, answers = len(server.asked), list(ModelAnswer.objects.order_by("pk").values_list("pk", flat=True))
    assert asked == len(answers) == 6
    forget_the_runs()
    second = scene.run(under)
    assert len(server.asked) == asked
    assert second.digest == first
    assert list(ModelAnswer.objects.order_by("pk").values_list("pk", flat=True)) == answers
    again = AgentRun.objects.filter(convergence=second.convergence, implementation="llm")
    assert sum(run.tokens for run in again) == 0
    assert sorted({pk for run in again for pk in run.answers}) == answers


def forget_the_runs() -> None:
    """Take back everything a convergence wrote but the stored answers: only who may switch triggers off can."""
    drawn_from_runs = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.related_model is AgentRun
    ]
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in ("approvals_approvalrequest", "prospects_stagetransition", "prospects_score"):
            cursor.execute(f"DELETE FROM {table}")
        for table, column in drawn_from_runs:
            cursor.execute(f"DELETE FROM {table} WHERE {column} IS NOT NULL")
        cursor.execute("DELETE FROM prospects_agentrun")
        cursor.execute(
            "UPDATE prospects_prospect p SET stage = 'sourced', stage_seq = 0, verdict = '', converged_no = 0,"
            " converged_version_id = NULL, composite = NULL,"
            " facts_no = (SELECT max(fact_no) FROM prospects_signal s WHERE s.prospect_id = p.id)"
        )
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Say(refusal="No."), "The model refused to answer."),
        (Say(status=500), "The model's service is failing."),
        (Say(answer={"permissions": "write"}), "does not have the form asked for"),
        (Say(status=401, error="authentication_error"), "refused our key"),
    ],
    ids=["refuses", "fails", "malformed", "no-key"],
)
def test_where_no_answer_comes_the_rules_speak_and_a_note_says_so(
    said: Say, words: str, provider: Callable[..., StandIn]
) -> None:
    under = playbook(*ALL)
    made = with_page(under)
    provider(lambda asked: said)
    scene.run(under)
    made.refresh_from_db()
    assert (made.verdict, Evidence.objects.get(criterion="size").value) == ("qualified", 100)
    assert ApprovalRequest.objects.filter(prospect=made).exists()
    told = notes("fit_evidence")
    assert len(told) == 1
    assert told[0].startswith("Judged by rules instead of the language model. ")
    assert words in told[0]
    assert set(Diagnostic.objects.values_list("kind", flat=True)) == {"model"}


def test_no_budget_means_no_call_and_work_by_rules(provider: Callable[..., StandIn]) -> None:
    under = playbook(*EVIDENCE, tokens=100)
    with_page(under)
    server = provider()
    scene.run(under)
    assert server.asked == []
    assert Evidence.objects.filter(criterion="size").exists()
    assert set(Diagnostic.objects.values_list("kind", flat=True)) == {"budget"}


def test_without_a_key_everything_works_by_rules(settings: LazySettings) -> None:
    llm = copy.deepcopy(settings.LLM)
    llm["KEYS"], llm["BASE_URLS"] = {}, {}
    settings.LLM = llm
    under = playbook(*ALL)
    made = with_page(under)
    scene.run(under)
    made.refresh_from_db()
    assert made.verdict == "qualified"
    assert set(AgentRun.objects.filter(agent__in=ALL).values_list("implementation", flat=True)) == {"rules"}


def test_no_question_says_who_the_person_is_or_how_to_reach_them(provider: Callable[..., StandIn]) -> None:
    under = playbook(*ALL)
    person = {"email": "dana@larch.example", "phone": "+14155550199", "first_name": "Dana", "contact_name": "Dana Lee",
              "linkedin_url": "https://linkedin.example/in/dana", "birth_date": "1980-01-01"}  # fmt: skip
    made = scene.company(under, {**scene.GOOD})
    factories.signal(made, kind="profile", data={**scene.GOOD, **person}, observed_at=scene.CHANGED, dedup_key="p2")
    factories.signal(made, kind="page", text=PAGE, data={}, observed_at=scene.CHANGED, dedup_key="page")
    scene.seen(made)
    server = provider()
    scene.run(under)
    assert {actors.form(asked) for asked in server.asked} == {"judgements", "observations", "drafts", "option"}
    secrets = [*person.values(), made.contact.email, made.contact.last_name]
    assert not [s for s in secrets for asked in server.asked if s and s in f"{asked.system}{asked.question}"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"BASE_URLS": {}}, "no key is set for anthropic"),
        ({"PRICES": {}}, "has no price"),
        ({"RATES": {"NZD": 2}}, "LLM_RATES says nothing about USD"),
        ({"MODELS": dict.fromkeys(("fast", "search", "analysis", "writing"), "")}, "no model is set for analysis"),
    ],
)
def test_what_is_missing_for_a_model_is_said_in_words(
    change: dict[str, Any], words: str, provider: Callable[..., StandIn], settings: LazySettings
) -> None:
    under = playbook("fit_evidence")
    provider()
    assert models_missing(under) == {}
    settings.LLM = {**settings.LLM, "KEYS": {}, **change}
    assert words in models_missing(under)["fit_evidence"]


def test_no_tokens_a_day_is_said_too(provider: Callable[..., StandIn]) -> None:
    under = playbook("fit_evidence", tokens=0)
    provider()
    assert models_missing(under) == {"fit_evidence": "the playbook allows no tokens a day"}


def test_what_is_missing_stands_on_every_page_that_shows_who_does_the_work(
    provider: Callable[..., StandIn], settings: LazySettings, client: Browser
) -> None:
    under = playbook("fit_evidence")
    provider()
    client.force_login(factories.user(under.playbook.client))
    pages = (reverse("agents"), reverse("agent", args=["fit_evidence"]), reverse("playbooks:version", args=[under.pk]))
    assert [url for url in pages if "no key is set" in client.get(url).content.decode()] == []
    settings.LLM = {**settings.LLM, "KEYS": {}, "BASE_URLS": {}}
    assert [url for url in pages if "no key is set for anthropic" not in client.get(url).content.decode()] == []


def test_a_changed_prompt_is_another_implementation() -> None:
    prompt = prompts.load("prospects/evidence")
    assert prompt.edition in fit_evidence.AGENT.implementations[ImplementationKind.LLM].version
    text = f"---\nversion: 1\nrole: fast\nmax_tokens: 9\n---\nJudge.\n\n=== question ===\n{'{{ signals }}'}\n"
    one, other = prompts.parse("a/b", text), prompts.parse("a/b", text.replace("Judge.", "Judge!"))
    assert one.edition != other.edition


def test_answers_are_facts(provider: Callable[..., StandIn]) -> None:
    under = playbook("fit_evidence")
    with_page(under)
    provider()
    scene.run(under)
    refuses("UPDATE prospects_modelanswer SET text = '{}'", because="append-only")
    refuses("DELETE FROM prospects_modelanswer", because="append-only")
    assert ModelAnswer.objects.get().at <= timezone.now()
