"""The closed word lists of the domain."""

from django.db import models


class Layer(models.TextChoices):
    FIRMOGRAPHIC = "firmographic", "Firmographic"
    BEHAVIORAL = "behavioral", "Behavioral"
    PSYCHOLOGIC = "psychologic", "Psychologic"
    INVESTMENT = "investment", "Investment"


class Category(models.TextChoices):
    """The independence groups that qualification counts."""

    FIT = "fit", "Fit"
    TIMING = "timing", "Timing"
    NEED = "need", "Need"
    RISK = "risk", "Risk"
    COMMITMENT = "commitment", "Commitment"


class Team(models.TextChoices):
    LEAD_GEN = "lead_gen", "Lead generation"
    QUALIFICATION = "qualification", "Qualification"
    CONVERSION = "conversion", "Conversion"
    LIFECYCLE = "lifecycle", "Lifecycle"


class Channel(models.TextChoices):
    EMAIL = "email", "E-mail"
    CALL = "call", "Call"
    LINKEDIN = "linkedin", "LinkedIn"
    SMS = "sms", "SMS"


class Route(models.TextChoices):
    HOT = "hot", "Hot"
    WARM = "warm", "Warm"
    COLD = "cold", "Cold"


class Tier(models.TextChoices):
    TIER_1 = "TIER_1", "Tier 1"
    TIER_2 = "TIER_2", "Tier 2"
    TIER_3 = "TIER_3", "Tier 3"
    TIER_4 = "TIER_4", "Tier 4"
