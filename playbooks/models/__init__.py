from playbooks.models.audit import AuditEntry
from playbooks.models.choices import Category, Channel, Layer, Route, Team, Tier
from playbooks.models.clients import Client, Membership, Role, User
from playbooks.models.content import (
    AgentAssignment,
    BrandRule,
    ChannelPolicy,
    Criterion,
    MessageTemplate,
    SequenceStep,
    StageRule,
    Trigger,
    ValueProposition,
)
from playbooks.models.control import AgentPermission, BudgetPeriod, Stop
from playbooks.models.mode import ModeSwitch
from playbooks.models.playbook import Activation, Playbook, PlaybookVersion
from playbooks.models.sources import Source

__all__ = [
    "Activation",
    "AgentAssignment",
    "AgentPermission",
    "AuditEntry",
    "BrandRule",
    "BudgetPeriod",
    "Category",
    "Channel",
    "ChannelPolicy",
    "Client",
    "Criterion",
    "Layer",
    "Membership",
    "MessageTemplate",
    "ModeSwitch",
    "Playbook",
    "PlaybookVersion",
    "Role",
    "Route",
    "SequenceStep",
    "Source",
    "StageRule",
    "Stop",
    "Team",
    "Tier",
    "Trigger",
    "User",
    "ValueProposition",
]
