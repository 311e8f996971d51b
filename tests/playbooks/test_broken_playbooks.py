"""One thing wrong: YAML, the services and the admin each refuse it, naming the field and what was expected."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
import yaml
from django.contrib import admin
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.test import RequestFactory

from playbooks.models import Playbook, PlaybookVersion, Role, User
from playbooks.rules.document import ROWS, SECTIONS, Document
from playbooks.rules.wordlists import join_words
from playbooks.rules.yaml_io import PlaybookFileError, dump, parse
from playbooks.services import drafts, lifecycle
from playbooks.shipped import contacts
from tests import factories
from tests.playbooks.admin_page import change_url, fields_of, posted, problems, signed_in

Path = tuple[str | int, ...]
GONE = object()


@dataclass(frozen=True)
class Broken:
    """A value put at a path (GONE: taken away) and the words it is refused with.

    ``at`` is the path the refusal names where it is another one, ``also`` more that is changed.
    """

    path: Path
    value: Any
    words: str
    at: Path = ()
    also: tuple[tuple[Path, Any], ...] = ()

    @property
    def named(self) -> Path:
        return self.at or self.path

    @property
    def changes(self) -> Sequence[tuple[Path, Any]]:
        return ((self.path, self.value), *self.also)

    def __str__(self) -> str:
        return f"{dotted(self.path)}={'nothing' if self.value is GONE else self.value}"[:60]


BROKEN = (
    Broken(("root_intent",), " ", "say in one sentence"),
    Broken(("root_intent",), "x" * 301, "expected at most 300 characters, got 301"),
    Broken(("countries",), [], "name at least one country"),
    Broken(("countries",), ["America"], "expected two-letter country codes such as US or NZ, got 'America'"),
    Broken(("icp", "countries"), ["Germany"], "expected two-letter country codes"),
    Broken(("icp", "employees_max"), 1, "expected at least the minimum of 3, got 1"),
    Broken(("icp", "employees_min"), "few", "expected a whole number"),
    Broken(("icp", "employees_max"), 10**12, "expected at most 2"),
    Broken(("icp", "industries"), [], "name at least one industry or a company size", also=(
        (("icp", "employees_min"), None), (("icp", "employees_max"), None))),
    Broken(("layer_weights", "firmographic"), 34, "sum to 100; they sum to 99", at=("layer_weights", "investment")),
    Broken(("layer_weights", "psychologic"), "fifteen", "expected a whole number"),
    Broken(("layer_weights", "investment"), 15.5, "expected a whole number"),
    Broken(("layer_weights", "behavioral"), GONE, "is missing; expected a whole number"),
    Broken(("thresholds", "hot"), 30, "expected hot above warm"),
    Broken(("thresholds", "hot"), "high", "expected a number"),
    Broken(("thresholds", "tier_2"), 0.9, "expected three falling shares", at=("thresholds", "tier_1")),
    Broken(("thresholds", "min_confidence"), 1.5, "expected a share from 0 to 1, got 1.5"),
    Broken(("thresholds", "min_categories"), 9, "expected 1 to 5, got 9"),
    Broken(("budgets", "emails_per_day"), 0, "expected a daily limit above 0, got 0"),
    Broken(("budgets", "calls_per_day"), 0, "expected a daily limit above 0, got 0"),
    Broken(("budgets", "money_per_month"), -1, "give a money limit for a month"),
    Broken(("budgets", "money_per_month"), 1.005, "expected an amount with at most"),
    Broken(("budgets", "deal_value"), GONE, "is missing; expected an amount"),
    Broken(("budgets", "currency"), "DOLLARS", "expected at most 3 characters, got 7"),
    Broken(("approval", "request_hours"), 0, "expected at least 1 hour, got 0"),
    Broken(("approval", "undo_seconds"), "a minute", "expected a whole number"),
    Broken(("criteria", 1, "key"), "industry", "icp → industry is already said in row 1"),
    Broken(("criteria", 1, "key"), "team size", "expected letters, figures, - or _"),
    Broken(("criteria", 0, "label"), "", "is missing; expected text"),
    Broken(("criteria", 0, "layer"), "firmografic", "expected one of firmographic, behavioral"),
    Broken(("criteria", 0, "category"), GONE, "expected one of fit, timing, need, risk, commitment"),
    Broken(("criteria", 1, "kind"), "guess", "expected one of in_set, in_range"),
    Broken(("criteria", 0, "weight"), -1, "expected a number from 0 to 1,000, got -1"),
    Broken(("criteria", 1, "weight"), 1e20, "expected a number from 0 to 1,000, got 1e+20"),
    Broken(("criteria", 0, "weight"), "heavy", "expected a number"),
    Broken(("criteria", 2, "weight"), 5, "a flag rules out and adds nothing to a score; expected 0"),
    Broken(("criteria", 3, "half_life_days"), 0, "expected more than 0 and at most 36,500 days"),
    Broken(("criteria", 3, "half_life_days"), 1e9, "expected more than 0 and at most 36,500 days"),
    Broken(("criteria", 1, "params", "minimum"), "three", "expected a number, got 'three'"),
    Broken(("criteria", 1, "params", "maximum"), 1, "expected at least the minimum 3, got 1"),
    Broken(("criteria", 1, "params", "soft_credit"), 2, "expected a number between 0 and 1, got 2"),
    Broken(("criteria", 0, "params", "values"), [], "at least one value is needed"),
    Broken(("criteria", 0, "params", "attribute"), "", "a word is needed here"),
    Broken(("criteria", 0, "params", "partial", 0, "credit"), 7, "expected a number between 0 and 1, got 7"),
    Broken(("criteria", 2, "params", "values"), [], "belongs together with values"),
    Broken(("criteria", 3, "params", "min_count"), 0, "expected a number at least 1, got 0"),
    Broken(("criteria", 3, "params", "within_days"), -1, "expected more than 0 days, got -1"),
    Broken(("criteria", 4, "params", "breakpoints", 1, 0), 1, "expected the numbers in rising order", at=(
        "criteria", 4, "params", "breakpoints")),
    Broken(("criteria", 4, "params", "statistic"), "average", "expected one of count, sum"),
    Broken(("stage_rules", 0, "to"), "qualfied", "expected a stage of the pipeline"),
    Broken(("stage_rules", 0, "to"), "won", "expected a stage of the pipeline"),
    Broken(("stage_rules", 0, "to"), "converted", "no prospect can move from sourced to converted"),
    Broken(("stage_rules", 2, "min_score"), 130, "expected 0 to 100, got 130"),
    Broken(("stage_rules", 2, "min_coverage"), 40, "expected 0 to 1, got 40"),
    Broken(("stage_rules", 2, "required_categories"), ["fitness"], "expected one of fit, timing"),
    Broken(("stage_rules", 1, "team"), "sales", "expected one of lead_gen, qualification"),
    Broken(("templates", 0, "body"), "Hi {{ firstname }}", "{{ firstname }} is no placeholder; expected one of"),
    Broken(("templates", 0, "body"), "Your {{ fact.nothing }}", "this playbook has no criterion 'nothing'"),
    Broken(("templates", 0, "body"), "Hi {{ first_name", "a placeholder is not closed"),
    Broken(("templates", 0, "subject"), "", "an e-mail needs a subject"),
    Broken(("templates", 0, "requires"), ["hirng"], "this playbook has no criterion 'hirng'"),
    Broken(("channels", 0, "reply_rate"), 5, "expected a share from 0 to 1, got 5"),
    Broken(("sequences", 0, "tier"), "TIER_9", "expected one of TIER_1, TIER_2"),
    Broken(("sequences", 0, "day"), "first", "expected a whole number"),
    Broken(("agents", 0, "agent"), "prioritisation", "there is no agent"),
    Broken(("triggers", 0, "cron"), "0 25 * * *", "expected minute, hour, day, month and weekday such as 0 2 * * *"),
    Broken(("triggers", 0, "metric"), "due_prospects", "only a trigger of kind threshold has this"),
    Broken(("sources", 0, "url"), "news.example", "an address that starts with https://"),
    Broken(("sources", 0, "params", "max_items"), 0, "expected a number of at least 1, got 0"),
    Broken(("sources", 0, "fallback"), "gone", "this playbook has no source 'gone'"),
    Broken(("value_propositions", 0, "promise"), GONE, "is missing; expected text"),
    Broken(("brand_rules", 0, "phrase"), "x" * 201, "expected at most 200 characters, got 201"),
)  # fmt: skip


def dotted(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def small_playbook() -> dict[str, Any]:
    """A right playbook with one row or a few of every kind."""
    data: dict[str, Any] = yaml.safe_load((contacts.HERE / "demo.yaml").read_text())
    by_key = {row["key"]: row for row in data["criteria"]}
    data["criteria"] = [by_key[key] for key in ("industry", "size", "gone", "hiring_started")] + [
        {"key": "reply_time", "label": "Answers soon", "layer": "behavioral", "category": "need", "kind": "measure",
         "weight": 5, "params": {"kinds": ["reply"], "statistic": "median", "unit": "hours",
                                 "breakpoints": [[2, 100], [24, 60], [120, 10]]}},
    ]  # fmt: skip
    data["templates"] = [{**data["templates"][0], "requires": ["size"], "body": "Hi {{ first_name | there }}"}]
    data["stage_rules"] = [row for row in data["stage_rules"] if row.get("pipeline", "prospect") == "prospect"][:3]
    data["sequences"], data["channels"] = data["sequences"][:1], data["channels"][:1]
    data["triggers"] = [row for row in data["triggers"] if row["kind"] == "schedule"]
    data["agents"] = [{"agent": "prioritization"}]
    data["sources"] = [{"key": "news", "kind": "feed", "url": "https://news.example/rss", "params": {"max_items": 9}}]
    data["brand_rules"] = data["brand_rules"][:1]
    return data


DATA = small_playbook()
RIGHT = parse(yaml.safe_dump(DATA, sort_keys=False))


def put(data: Any, path: Path, value: Any) -> None:
    at = data
    for step in path[:-1]:
        at = at[step]
    if value is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_yaml_refuses_it_with_line_and_path(broken: Broken) -> None:
    data = copy.deepcopy(DATA)
    for path, value in broken.changes:
        put(data, path, value)
    with pytest.raises(PlaybookFileError) as refused:
        parse(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    (said,) = [fault for fault in refused.value.faults if fault.path == dotted(broken.named)]
    assert broken.words in said.words
    assert said.line > 0


def column_of(path: Path) -> tuple[str, str]:
    """(list of rows or "", column) of a path."""
    if path[0] in ROWS:
        return str(path[0]), next(slot.at for slot in ROWS[str(path[0])].slots if slot.name == path[2])
    section, name = ("", path[0]) if len(path) == 1 else path
    return "", next(slot.at for slot in SECTIONS[str(section)] if slot.name == name)


def document_with(broken: Broken) -> Document:
    document = copy.deepcopy(RIGHT)
    for path, value in broken.changes:
        section, column = column_of(path)
        at: Any = document.rows[section][cast(int, path[1])] if section else document.head
        put(at, (column, *path[3:]) if section else (column,), None if value is GONE else value)
    return document


@pytest.mark.django_db
def test_the_service_refuses_each_of_them() -> None:
    client = factories.client()
    for broken in BROKEN:
        with pytest.raises(drafts.InvalidPlaybook) as refused:
            drafts.load_document(document_with(broken), client=client, actor=None)
        said = [line for line in refused.value.problems if line.startswith(f"{dotted(broken.named)}: ")]
        # A value that is there must be given here: a document always has a place for it.
        words = broken.words.removeprefix("is missing; ")
        assert any(words in line for line in said), (str(broken), refused.value.problems)
    assert not Playbook.objects.exists()


def field_name(path: Path) -> str:
    """The field of the admin's page in which a path is filled in."""
    section, column = column_of(path)
    if not section:
        return column
    steps = [ROWS[section].related, path[1], column, *path[3:]]
    return "-".join(str({"values": 0, "credit": 1}.get(str(s), s) if "partial" in path else s) for s in steps)


def filled(value: Any) -> Any:
    if value is GONE or value is None:
        return ""
    return join_words(value) if isinstance(value, list) else str(value)


def as_typed(broken: Broken) -> dict[str, Any]:
    data = {}
    for path, value in broken.changes:
        is_boxes = path[-1] in ("required_categories", "required_layers")
        data[field_name(path)] = value if is_boxes else filled(value)
    return data


@pytest.fixture
def draft() -> PlaybookVersion:
    return drafts.load_document(RIGHT, client=factories.client(slug="demo"), actor=None)[0]


@pytest.fixture
def boss(draft: PlaybookVersion) -> User:
    return factories.user(draft.playbook.client, Role.ADMIN, is_staff=True)


def sent(draft: PlaybookVersion, boss: User, data: dict[str, Any]) -> HttpResponse:
    """The admin's own answer to a POST, as far as deciding goes: not drawn yet."""
    request: Any = RequestFactory().post(change_url(draft), data)
    request.user, request.session, request._dont_enforce_csrf_checks = boss, {}, True
    return admin.site.get_model_admin(PlaybookVersion).change_view(request, str(draft.pk))


def errors_at(answer: TemplateResponse, path: Path) -> list[str]:
    """What the page says beside the field of a path."""
    section, column = column_of(path)
    context = cast(dict[str, Any], answer.context_data)
    if not section:
        return [str(words) for words in context["adminform"].form.errors.get(column, [])]
    inline = next(i for i in context["inline_admin_formsets"] if i.formset.prefix == ROWS[section].related)
    form = inline.formset.forms[path[1]]
    if column == "params":
        return list(form.fields["params"].widget.problems.get(path[3], []))
    return [str(words) for words in form.errors.get(column, [])]


def one_a_section(cases: Sequence[Broken]) -> list[list[Broken]]:
    """As few pages as it takes: on each, one broken value in the version's own fields and one in every kind of row."""
    pages: list[dict[str, Broken]] = []
    for broken in cases:
        section = column_of(broken.path)[0]
        page = next((page for page in pages if section not in page), None)
        if page is None:
            pages.append(page := {})
        page[section] = broken
    return [list(page.values()) for page in pages]


@pytest.mark.django_db
def test_the_admin_says_each_of_them_beside_its_field(draft: PlaybookVersion, boss: User) -> None:
    data = posted(signed_in(boss), change_url(draft))
    for at_once in one_a_section(BROKEN):
        typed: dict[str, Any] = {}
        for broken in at_once:
            typed |= as_typed(broken)
        answer = sent(draft, boss, data | typed)
        assert isinstance(answer, TemplateResponse), f"{typed} was saved"
        for broken in at_once:
            said = errors_at(answer, broken.named)
            assert any(broken.words.casefold() in words.casefold() for words in said), (str(broken), said)
    assert dump(RIGHT) == dump(parse(dump(RIGHT)))
    assert PlaybookVersion.objects.get(pk=draft.pk).root_intent == RIGHT.head["root_intent"]


@pytest.mark.django_db
def test_a_real_post_comes_back_with_the_words_and_what_was_typed(draft: PlaybookVersion, boss: User) -> None:
    browser = signed_in(boss)
    data = posted(browser, change_url(draft))
    for broken in BROKEN[9], BROKEN[36], BROKEN[45], BROKEN[54]:
        page = browser.post(change_url(draft), data | as_typed(broken))
        assert page.status_code == 200
        assert broken.words.casefold() in problems(page).replace("&#x27;", "'").casefold(), str(broken)
        again = fields_of(page.context)
        for name, value in as_typed(broken).items():
            assert again[name] == value


def test_a_shortcut_alone_is_no_way_to_qualified() -> None:
    """Agents judge by the rule from qualifying; a shortcut is for some, and none of the others would ever qualify."""
    broken = copy.deepcopy(RIGHT)
    for rule in broken.rows["stage_rules"]:
        if rule["to_stage"] == "qualified":
            rule.update(from_stage="researched", route="hot")
    with pytest.raises(PlaybookFileError, match="a rule from qualifying to qualified is needed"):
        parse(dump(broken))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("section", "words"),
    [("stage_rules", "a rule from qualifying to qualified is needed"), ("criteria", "needs at least one criterion")],
)
def test_what_only_the_rows_together_show_stands_on_top_and_keeps_a_draft_from_review(
    draft: PlaybookVersion, boss: User, section: str, words: str
) -> None:
    broken = copy.deepcopy(RIGHT)
    broken.rows[section] = []
    broken.rows["templates"] = []
    with pytest.raises(PlaybookFileError) as refused:
        parse(dump(broken))
    assert any(fault.path == section and words in fault.words and fault.line for fault in refused.value.faults)
    getattr(draft, section).all().delete()
    draft.templates.all().delete()
    page = signed_in(boss).get(change_url(draft)).content.decode()
    (item,) = re.findall(rf"<li>.*?{words}.*?</li>", page)
    assert f'href="#{section}-group"' in item
    with pytest.raises(lifecycle.NotReady, match=words):
        lifecycle.submit(draft, actor=boss)
