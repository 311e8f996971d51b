"""A whole playbook version as one plain value, and the names it has in YAML. Pure: no Django, no files.

``SECTIONS`` and ``ROWS`` are the one table that reading, writing, copying, validating and comparing go by: a column
that is missing here is missing everywhere, and a test holds it against the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from playbooks.rules import sources, triggers
from playbooks.rules.criteria import CATEGORIES, KINDS, LAYERS, MISSING
from playbooks.rules.twins import LIKELIER_ONE, MERGE

CHANNELS: Final = ("email", "call", "linkedin", "sms")
TEAMS: Final = ("lead_gen", "qualification", "conversion", "lifecycle")
TIERS: Final = ("TIER_1", "TIER_2", "TIER_3", "TIER_4")
SLOTS: Final = ("preferred", "second", "phone", "email")
IMPLEMENTATIONS: Final = ("rules", "llm", "human", "off")
BRAND_VERDICTS: Final = ("review", "block")
PLAYBOOK_KINDS: Final = ("b2b", "household")
PIPELINES: Final = ("prospect", "deal", "customer")
RESISTORS: Final = ("none", "anxiety", "habit")
RULE_ROUTES: Final = ("any", "hot", "warm")
REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Slot:
    """One value: its YAML name, what it must look like, and its column.

    ``kind`` is text, word (one of ``choices``), whole, number, money, price (money to a hundredth of a cent), flag,
    words (a list of text) or params (a mapping). A ``default`` of REQUIRED must be given; None may be left out or null.
    """

    name: str
    kind: str = "text"
    default: Any = REQUIRED
    column: str = ""
    choices: tuple[str, ...] = ()

    @property
    def at(self) -> str:
        """The model's column."""
        return self.column or self.name

    def start(self) -> Any:
        """A fresh default value."""
        return self.default.copy() if isinstance(self.default, list | dict) else self.default


@dataclass(frozen=True, slots=True)
class RowShape:
    """One kind of child rows: where they hang on the version, what they hold, what tells them apart.

    Rows keep their order, except that they are grouped by ``sort_by`` columns. ``ranked`` rows store their order as
    ``position``.
    """

    related: str
    label: str
    slots: tuple[Slot, ...]
    identity: tuple[str, ...]
    sort_by: tuple[str, ...] = ()
    ranked: bool = True


#: YAML section → its values. The section "" is the top level.
SECTIONS: Final[Mapping[str, tuple[Slot, ...]]] = {
    "": (
        Slot("change_note", default=""),
        Slot("root_intent"),
        Slot("procedure", default=""),
        Slot("countries", "words"),
    ),
    "icp": (
        Slot("description", default="", column="icp_description"),
        Slot("industries", "words", [], "icp_industries"),
        Slot("related_industries", "words", [], "icp_related_industries"),
        Slot("employees_min", "whole", None, "icp_employees_min"),
        Slot("employees_max", "whole", None, "icp_employees_max"),
        Slot("countries", "words", [], "icp_countries"),
        Slot("roles", "words", [], "icp_roles"),
    ),
    "layer_weights": tuple(Slot(layer, "whole", column=f"weight_{layer}") for layer in LAYERS),
    "thresholds": (
        Slot("hot", "number", 70.0, "hot_threshold"),
        Slot("warm", "number", 40.0, "warm_threshold"),
        Slot("tier_1", "number", 0.8, "tier_1_threshold"),
        Slot("tier_2", "number", 0.6, "tier_2_threshold"),
        Slot("tier_3", "number", 0.4, "tier_3_threshold"),
        Slot("min_confidence", "number", 0.6),
        Slot("min_categories", "whole", 3),
        Slot("min_quality", "whole", 85),
        Slot("min_contact_confidence", "number", 0.6),
        Slot("keep", "number", 0.7, "keep_threshold"),
        Slot("enrich", "number", 0.75, "enrich_threshold"),
        Slot("crm", "number", 0.7, "crm_threshold"),
        Slot("merge", "number", MERGE, "merge_threshold"),
        Slot("ask_about_twins", "number", LIKELIER_ONE, "twin_threshold"),
    ),
    "budgets": (
        Slot("calls_per_day", "whole"),
        Slot("emails_per_day", "whole"),
        Slot("linkedin_per_day", "whole", 15),
        Slot("sms_per_day", "whole", 0),
        Slot("money_per_month", "money"),
        Slot("experiments_per_week", "whole", 2),
        Slot("tokens_per_day", "whole", 0),
        Slot("currency", default="USD"),
        Slot("deal_value", "money"),
    ),
    "approval": (
        Slot("undo_seconds", "whole", 60),
        Slot("request_hours", "whole", 72),
        Slot("two_approvers", "flag", False),
    ),
}

#: YAML list → the shape of its rows.
ROWS: Final[Mapping[str, RowShape]] = {
    "criteria": RowShape(
        "criteria",
        "criterion",
        (
            Slot("key"),
            Slot("label"),
            Slot("scorecard", default="icp"),
            Slot("layer", "word", choices=LAYERS),
            Slot("category", "word", choices=CATEGORIES),
            Slot("kind", "word", choices=KINDS),
            Slot("weight", "number"),
            Slot("half_life_days", "number", None),
            Slot("missing", "word", "unknown", choices=MISSING),
            Slot("missing_value", "number", None),
            Slot("params", "params"),
        ),
        identity=("scorecard", "key"),
        sort_by=("scorecard",),
    ),
    "value_propositions": RowShape(
        "value_propositions",
        "value proposition",
        (Slot("segment", default=""), Slot("pain"), Slot("promise"), Slot("proof", default="")),
        identity=("segment", "promise"),
    ),
    "stage_rules": RowShape(
        "stage_rules",
        "stage rule",
        (
            Slot("pipeline", "word", "prospect", choices=PIPELINES),
            Slot("from", column="from_stage"),
            Slot("to", column="to_stage"),
            Slot("min_categories", "whole", 0),
            Slot("required_categories", "words", []),
            Slot("required_layers", "words", []),
            Slot("scorecard", default="icp"),
            Slot("min_score", "number", None),
            Slot("min_coverage", "number", None),
            Slot("route", "word", "any", choices=RULE_ROUTES),
            Slot("needs_person", "flag", False),
            Slot("confirm_from_value", "money", None),
            Slot("team", "word", "qualification", choices=TEAMS),
        ),
        identity=("pipeline", "from_stage", "to_stage"),
        sort_by=("pipeline",),
    ),
    "channels": RowShape(
        "channel_policies",
        "channel policy",
        (
            Slot("channel", "word", choices=CHANNELS),
            Slot("enabled", "flag", True),
            Slot("daily_cap", "whole", 0),
            Slot("unit_cost", "money", 0),
            Slot("reply_rate", "number", 0.05),
            Slot("min_confidence", "number", 0.6),
        ),
        identity=("channel",),
        sort_by=("channel",),
        ranked=False,
    ),
    "templates": RowShape(
        "templates",
        "template",
        (
            Slot("key"),
            Slot("channel", "word", "email", choices=CHANNELS),
            Slot("angle"),
            Slot("segment", default=""),
            Slot("requires", "words", []),
            Slot("addresses", "word", "none", choices=RESISTORS),
            Slot("subject", default=""),
            Slot("body"),
        ),
        identity=("key",),
    ),
    "sequences": RowShape(
        "sequence_steps",
        "sequence step",
        (
            Slot("tier", "word", choices=TIERS),
            Slot("day", "whole"),
            Slot("slot", "word", choices=SLOTS),
            Slot("purpose", default=""),
        ),
        identity=("tier", "day"),
        sort_by=("tier", "day"),
        ranked=False,
    ),
    "agents": RowShape(
        "agent_assignments",
        "agent assignment",
        (
            Slot("agent"),
            Slot("implementation", "word", "rules", choices=IMPLEMENTATIONS),
            Slot("model", default=""),
        ),
        identity=("agent",),
        sort_by=("agent",),
        ranked=False,
    ),
    "triggers": RowShape(
        "triggers",
        "trigger",
        (
            Slot("key"),
            Slot("label"),
            Slot("kind", "word", choices=triggers.KINDS),
            Slot("signal", default="", column="signal_kind"),
            Slot("cron", default=""),
            Slot("metric", default=""),
            Slot("comparison", "word", "below", choices=triggers.COMPARISONS),
            Slot("value", "number", None),
            Slot("depth", "word", "primary", choices=triggers.DEPTHS),
            Slot("enabled", "flag", True),
        ),
        identity=("key",),
    ),
    "sources": RowShape(
        "sources",
        "source",
        (
            Slot("key"),
            Slot("kind", "word", choices=sources.KINDS),
            Slot("url", default=""),
            Slot("delivers", "words", []),
            Slot("params", "params", {}),
            Slot("auth_env", default=""),
            Slot("auth_header", default="Authorization"),
            Slot("cost", "price", 0),
            Slot("weight", "number", 1.0),
            Slot("confidence", "number", 0.8),
            Slot("rate_per_minute", "whole", 60),
            Slot("fallback", default=""),
            Slot("enabled", "flag", True),
        ),
        identity=("key",),
    ),
    "brand_rules": RowShape(
        "brand_rules",
        "brand rule",
        (Slot("phrase"), Slot("verdict", "word", "block", choices=BRAND_VERDICTS), Slot("reason", default="")),
        identity=("phrase",),
        sort_by=("phrase",),
        ranked=False,
    ),
}

#: What names the playbook itself.
IDENTITY: Final = (
    Slot("client"),
    Slot("playbook", column="slug"),
    Slot("name"),
    Slot("kind", "word", "b2b", choices=PLAYBOOK_KINDS),
)


@dataclass(slots=True)
class Document:
    """One playbook version. ``head`` is by column; ``rows`` by YAML list name, each row by column."""

    client: str
    slug: str
    name: str
    kind: str = "b2b"
    head: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def says_the_same(self, other: Document) -> bool:
        """Whether both versions rule alike; the note on what changed is not a rule."""
        mine, theirs = ({**d.head, "change_note": ""} for d in (self, other))
        return mine == theirs and self.rows == other.rows


def head_slots() -> dict[str, tuple[str, Slot]]:
    """Column → (YAML section, slot) of every value of the version's own row."""
    return {slot.at: (section, slot) for section, slots in SECTIONS.items() for slot in slots}


def arrange(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order in which the database gives them back."""
    return sorted(rows, key=lambda row: tuple(row[column] for column in ROWS[name].sort_by))
