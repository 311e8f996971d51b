"""The legal gate: one table per country, one verdict, and always what it saw."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.rules.claims import backed
from approvals.rules.compliance import (
    RULE_VERSION,
    TABLES,
    BrandRule,
    Case,
    ConsentBasis,
    call_window,
    country_code,
    evaluate,
)
from approvals.rules.compliance_tables import COMMON, EU_OPT_IN, EU_OPT_OUT
from approvals.rules.content import with_footer

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)  # a Wednesday
LINK, NOTICE, SOURCE = "https://us.example/u/t", "https://us.example/privacy", "the public list"
BODY = with_footer("Hi Dana,\n\nWorth a look?", sender_name="Sam Doe", postal_address="1 Main St\nSpringfield",
                   unsubscribe_url=LINK, privacy_url=NOTICE, details_source=SOURCE)  # fmt: skip
CASE = Case(
    channel="email", country="US", moment="draft", now=NOW, sender_name="Sam Doe", sender_email="sam@us.example",
    recipient="dana@acme.example", subject="Your hires", body=BODY, postal_address="1 Main St\nSpringfield",
    privacy_url=NOTICE, unsubscribe_url=LINK, details_source=SOURCE, details_collected_on=date(2026, 11, 1),
    entity_type="company",
)  # fmt: skip


def basis(kind, days=10, *, relevant=True, proof=True):
    url, snapshot = ("https://x.example", "ab") if proof else ("", "")
    return ConsentBasis(kind, url, snapshot, NOW - timedelta(days=days), relevant)


def verdict(**changes):
    return evaluate(replace(CASE, **changes)).verdict


def blocking(**changes):
    return {finding.rule for finding in evaluate(replace(CASE, **changes)).findings if finding.verdict == "BLOCK"}


def test_a_lawful_message_passes_and_every_rule_says_what_it_saw():
    result = evaluate(CASE)
    assert (result.verdict, result.rule_version, result.reasons) == ("PASS", RULE_VERSION, ())
    assert {"us.email.address", "us.email.opt-out", "any.suppressed"} <= {item.rule for item in result.findings}
    assert all(item.saw and item.source and item.version for item in result.findings)
    assert result.as_dict()["rules"][0].keys() >= {"id", "verdict", "saw", "country", "channel", "version"}


@pytest.mark.parametrize("country", ["", "XX", "IN", "CH", "BR"])
def test_an_unknown_jurisdiction_blocks(country):
    assert blocking(country=country) == {"any.jurisdiction"}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"subject": "Re: our talk"}, "us.email.subject"),
        ({"subject": "FW: our talk"}, "us.email.subject"),
        ({"subject": " "}, "us.email.subject"),
        ({"postal_address": ""}, "us.email.address"),
        ({"body": "Hi"}, "us.email.opt-out"),
        ({"unsubscribe_url": ""}, "us.email.opt-out"),
        ({"sender_email": "not an address"}, "us.email.sender"),
        ({"sender_name": "Eve"}, "us.email.sender"),
        ({"suppressed": True}, "any.suppressed"),
        ({"countries_allowed": ("CA",)}, "any.country"),
        ({"recipient": "a@b.example, c@d.example"}, "any.email.address"),
    ],
)
def test_united_states_email(changes, rule):
    assert rule in blocking(**changes)


@pytest.mark.parametrize(
    ("rule", "broken", "holds", "fails"),
    [
        ("us.email.sender", {"sender_name": "Eve"}, "the sender is named", "the words do not name the sender"),
        ("us.email.sender", {"sender_name": " "}, "the sender is named", "the sender has no name"),
        ("us.email.subject", {"subject": " Re: us"}, "subject starts no false thread",
         "“Re:” with no earlier message"),
        ("us.email.subject", {"subject": " "}, "subject starts no false thread", "no subject"),
        ("us.email.address", {"postal_address": ""}, "postal address in the words", "no postal address in the words"),
        ("us.email.opt-out", {"unsubscribe_url": ""}, "unsubscribe link in the words",
         "no unsubscribe link in the words"),
        ("any.suppressed", {"suppressed": True}, "not on the suppression list", "the recipient is suppressed"),
        ("any.country", {"countries_allowed": ("CA",)}, "allowed", "the playbook does not sell into US"),
        ("nz.email.no-guess", {"guessed_address": True}, "the address was not guessed", "the address was guessed"),
        ("nz.data.source", {"details_source": ""}, "from the public list", "no source on file"),
        ("gb.email.notice", {"privacy_url": ""}, "notice and source in the words",
         "the privacy notice or the source is not in the words"),
        ("gb.email.entity", {"entity_type": ""}, "a company", "entity type unknown"),
        ("ca.email.consent", {"consent": None}, "express consent of 2026-11-08", "no consent on file"),
        ("ca.email.consent", {"consent": basis("express", -1)}, "express consent of 2026-11-08",
         "express consent of 2026-11-19 lies in the future"),
        ("ca.email.consent", {"consent": basis("inquiry", 183)}, "express consent of 2026-11-08",
         "inquiry consent of 2026-05-19 has run out"),
    ],
)  # fmt: skip
def test_what_a_rule_saw_is_what_there_was(rule, broken, holds, fails):
    country = {"us": "US", "any": "US"}.get(rule.split(".")[0], rule[:2].upper())
    case = replace(CASE, country=country, consent=None if country == "GB" else basis("express"))
    for saw, kind, seen in ((holds, "PASS", case), (fails, "BLOCK", replace(case, **broken))):
        finding = next(item for item in evaluate(seen).findings if item.rule == rule)
        assert (finding.saw, finding.verdict) == (saw, kind)


def test_an_address_is_the_same_however_it_is_spaced():
    assert verdict(postal_address=" 1  Main St, \n\n Springfield ") == "PASS"


def test_re_is_honest_when_there_is_a_thread():
    assert verdict(subject="Re: our talk", has_prior_thread=True) == "PASS"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"entity_type": "company"}, "PASS"),
        ({"entity_type": ""}, "BLOCK"),
        ({"entity_type": "individual"}, "BLOCK"),
        ({"entity_type": "individual", "consent": basis("express")}, "PASS"),
        ({"details_source": ""}, "BLOCK"),
        ({"details_collected_on": None}, "BLOCK"),
        ({"privacy_url": ""}, "BLOCK"),
        ({"body": BODY.replace(NOTICE, "")}, "BLOCK"),
        ({"body": BODY.replace(NOTICE, ""), "first_touch": False}, "PASS"),
        ({"details_collected_on": date(2026, 10, 19)}, "PASS"),  # thirty days ago
        ({"details_collected_on": date(2026, 10, 18)}, "REVIEW"),
        ({"details_collected_on": date(2026, 10, 18), "first_touch": False}, "PASS"),
    ],
)
def test_united_kingdom_email(changes, expected):
    assert verdict(**{"country": "GB", **changes}) == expected


@pytest.mark.parametrize("country", EU_OPT_OUT)
def test_opt_out_countries_of_the_union_pass_companies_and_review_the_unknown(country):
    assert verdict(country=country) == "PASS"
    assert verdict(country=country, entity_type="") == "REVIEW"


@pytest.mark.parametrize("country", EU_OPT_IN)
def test_opt_in_countries_block_without_consent(country):
    assert verdict(country=country) == "BLOCK"
    assert verdict(country=country, consent=basis("published")) == "BLOCK"
    assert verdict(country=country, consent=basis("express")) == "PASS"


@pytest.mark.parametrize(
    ("country", "consent", "expected"),
    [
        ("CA", None, "BLOCK"),
        ("CA", basis("express", 5000), "PASS"),
        ("CA", basis("purchase", 730), "PASS"),
        ("CA", basis("purchase", 731), "BLOCK"),
        ("CA", basis("inquiry", 182), "PASS"),
        ("CA", basis("inquiry", 183), "BLOCK"),
        ("CA", basis("published"), "PASS"),
        ("CA", basis("published", relevant=False), "BLOCK"),
        ("CA", basis("published", proof=False), "BLOCK"),
        ("CA", replace(basis("published"), url=""), "BLOCK"),  # half a proof is none
        ("CA", replace(basis("published"), snapshot_hash=""), "BLOCK"),
        ("CA", basis("inferred"), "BLOCK"),
        ("CA", basis("express", -1), "BLOCK"),
        ("NZ", None, "BLOCK"),
        ("NZ", basis("express"), "PASS"),
        ("NZ", basis("express", proof=False), "BLOCK"),
        ("NZ", basis("inferred"), "PASS"),
        ("NZ", basis("published", relevant=False), "BLOCK"),
        ("AU", None, "BLOCK"),
        ("AU", basis("inferred"), "PASS"),
        ("AU", basis("published", proof=False), "BLOCK"),
        ("AU", basis("published", relevant=False), "BLOCK"),
        ("AU", basis("express", proof=False, relevant=False), "PASS"),
    ],
)
def test_consent_by_country(country, consent, expected):
    assert verdict(country=country, consent=consent) == expected


def test_new_zealand_refuses_guessed_addresses():
    assert "nz.email.no-guess" in blocking(country="NZ", consent=basis("express"), guessed_address=True)


DAMP = "Your two bedrooms are damp."


@pytest.mark.parametrize(
    ("words", "says", "expected"),
    [
        (DAMP, None, "BLOCK"),  # nothing is cited
        (DAMP, "They asked about prices.", "BLOCK"),  # what is cited does not speak of it
        (DAMP, "They wrote: damp in both bedrooms.", "PASS"),
        (DAMP, "They sent a photo of mould.", "PASS"),  # one family
        (f"{DAMP} Save on power.", "They wrote: damp in both bedrooms.", "BLOCK"),
        (f"{DAMP} A damp home is no fun.", "They wrote: damp in both bedrooms.", "BLOCK"),  # said again, elsewhere
        ("Healthier homes\n\nWorth a look?", None, "BLOCK"),
        ("We saw Acme Energy grow.", None, "PASS"),  # a name promises nothing
        ("More energy for Acme Energy.", None, "BLOCK"),
        ("Dampen the noise, safely.", None, "PASS"),
    ],
)
def test_new_zealand_hears_of_damp_health_energy_and_savings_only_what_the_evidence_says(words, says, expected):
    body = BODY.replace("Worth a look?", words)
    grounds = backed([{"sentence": DAMP, "evidence_ids": [3]}], {3: says} if says else {})
    known = {"country": "NZ", "consent": basis("express"), "names": ("Acme Energy",), "grounds": grounds}
    assert verdict(**known, body=body) == expected
    assert ("nz.claims" in blocking(**known, body=body)) is (expected == "BLOCK")
    assert "nz.claims" not in blocking(**{**known, "country": "AU"}, body=body)


def test_a_subject_claims_as_much_as_a_body():
    assert "nz.claims" in blocking(country="NZ", consent=basis("express"), subject="A healthy home")


def test_australia_refuses_asking_for_consent():
    asking = BODY.replace("Worth a look?", "May I e-mail you about it?")
    assert "au.email.no-ask" in blocking(country="AU", consent=basis("express"), body=asking)


def zoned(country, zones, *when):
    return call_window(country, zones, datetime(*when, tzinfo=UTC))


@pytest.mark.parametrize(
    ("country", "zone", "when", "is_open"),
    [
        ("US", "America/New_York", (2026, 11, 18, 13, 0), True),  # Wednesday 8:00
        ("US", "America/New_York", (2026, 11, 18, 12, 59), False),
        ("US", "America/New_York", (2026, 11, 19, 1, 59), True),  # 20:59
        ("US", "America/New_York", (2026, 11, 19, 2, 0), False),  # 21:00
        ("US", "America/New_York", (2026, 11, 22, 17, 0), True),  # Sunday noon
        ("US", "America/New_York", (2026, 11, 26, 17, 0), True),  # Thanksgiving: the law knows no holidays
        ("AU", "Australia/Sydney", (2026, 11, 17, 21, 59), False),
        ("AU", "Australia/Sydney", (2026, 11, 17, 22, 0), True),  # Wednesday 9:00
        ("AU", "Australia/Sydney", (2026, 11, 18, 8, 59), True),  # Wednesday 19:59
        ("AU", "Australia/Sydney", (2026, 11, 18, 9, 0), False),
        ("AU", "Australia/Sydney", (2026, 11, 20, 21, 59), False),  # Saturday 8:59
        ("AU", "Australia/Sydney", (2026, 11, 20, 22, 0), True),
        ("AU", "Australia/Sydney", (2026, 11, 21, 5, 59), True),  # Saturday 16:59
        ("AU", "Australia/Sydney", (2026, 11, 21, 6, 0), False),  # Saturday 17:00
        ("AU", "Australia/Sydney", (2026, 11, 22, 1, 0), False),  # Sunday noon
        ("AU", "Australia/Sydney", (2026, 12, 25, 1, 0), False),  # Christmas Day
        ("NZ", "Pacific/Auckland", (2026, 11, 20, 18, 59), False),
        ("NZ", "Pacific/Auckland", (2026, 11, 20, 19, 0), True),  # Saturday 8:00
        ("NZ", "Pacific/Auckland", (2026, 11, 21, 7, 59), True),  # Saturday 20:59
        ("NZ", "Pacific/Auckland", (2026, 11, 21, 8, 0), False),
        ("NZ", "Pacific/Auckland", (2026, 11, 19, 7, 59), True),  # Thursday 20:59
        ("NZ", "Pacific/Auckland", (2026, 11, 19, 8, 0), False),
        ("NZ", "Pacific/Auckland", (2026, 11, 21, 20, 0), False),  # Sunday 9:00
        ("GB", "Europe/London", (2026, 11, 18, 8, 59), False),
        ("GB", "Europe/London", (2026, 11, 18, 9, 0), True),
        ("GB", "Europe/London", (2026, 11, 18, 17, 29), True),
        ("GB", "Europe/London", (2026, 11, 18, 17, 30), False),
        ("GB", "Europe/London", (2026, 11, 21, 12, 0), False),  # Saturday
        ("FR", "Europe/Paris", (2026, 11, 11, 10, 0), False),  # Armistice Day
    ],
)
def test_when_a_phone_may_ring(country, zone, when, is_open):
    assert zoned(country, (zone,), *when).open is is_open


def test_two_plausible_zones_must_both_be_open():
    both = ("America/New_York", "America/Los_Angeles")
    assert not zoned("US", both, 2026, 11, 18, 14, 0).open  # 9:00 in New York, 6:00 in Los Angeles
    assert zoned("US", both, 2026, 11, 18, 17, 0).open
    assert zoned("US", both, 2026, 11, 18, 14, 0).opens_at == datetime(2026, 11, 18, 16, 0, tzinfo=UTC)


def test_no_phone_rings_where_no_hours_are_known():
    window = zoned("XX", ("America/New_York",), 2026, 11, 18, 17, 0)
    assert (window.open, window.opens_at) == (False, None)
    assert window.saw == "no calling hours are known for this country"


@pytest.mark.parametrize("zones", [(), ("Nowhere/Land",), ("America/New_York", "Nowhere/Land")])
def test_an_unknown_zone_is_never_open(zones):
    window = zoned("US", zones, 2026, 11, 18, 17, 0)
    assert (window.open, window.opens_at) == (False, None)


@given(st.integers(0, 730 * 24 * 60), st.sampled_from(sorted(TABLES)))
def test_the_next_opening_is_open(minutes, country):
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    window = call_window(country, ("Europe/London",), at)
    assert window.opens_at is not None
    assert call_window(country, ("Europe/London",), window.opens_at).open


def test_calls_need_hours_and_no_do_not_call_list():
    call = {"channel": "call", "moment": "dispatch", "time_zones": ("America/New_York",), "body": "Hi"}
    assert verdict(**call) == "PASS"
    assert "any.call.do-not-call" in blocking(**call, do_not_call=True)
    assert "us.call.hours" in blocking(**{**call, "time_zones": ()})
    night = NOW.replace(hour=6)
    assert "us.call.hours" in blocking(**call, now=night)
    assert verdict(**{**call, "moment": "decision"}, now=night) == "PASS"


def test_linkedin_is_by_hand_short_and_rare():
    note = {"channel": "linkedin", "body": "Hi Dana", "moment": "dispatch", "attested": True}
    assert verdict(**note) == "PASS"
    assert "any.linkedin.by-hand" in blocking(**{**note, "attested": False})
    assert verdict(**{**note, "attested": False, "moment": "draft"}) == "PASS"
    assert verdict(**{**note, "body": "x" * 200}, linkedin_today=14, linkedin_week=79) == "PASS"
    assert "any.linkedin.note" in blocking(**{**note, "body": "x" * 201})
    assert "any.linkedin.limits" in blocking(**note, linkedin_today=15)
    assert "any.linkedin.limits" in blocking(**note, linkedin_week=80)


def test_text_messages_are_not_offered():
    assert "any.sms.not-offered" in blocking(channel="sms")


@pytest.mark.parametrize(("kind", "expected"), [("BLOCK", "BLOCK"), ("REVIEW", "REVIEW")])
def test_a_playbooks_own_rules_join_in(kind, expected):
    rule = BrandRule(r"\blook\b", kind, "we never say look")
    result = evaluate(replace(CASE, brand_rules=(rule,)))
    assert result.verdict == expected
    assert "we never say look" in result.reasons[0]
    assert verdict(brand_rules=(BrandRule(r"\bglobex\b", kind, ""),)) == "PASS"
    assert verdict(brand_rules=(BrandRule("(", kind, ""),)) == "BLOCK"


@pytest.mark.parametrize(
    ("text", "code"),
    [("US", "US"), ("us", "US"), ("United States", "US"), (" usa ", "US"), ("UK", "GB"), ("England", "GB"),
     ("Deutschland", "DE"), ("New  Zealand", "NZ"), ("Atlantis", ""), ("", ""), ("Ü1", "")],
)  # fmt: skip
def test_country_names(text, code):
    assert country_code(text) == code


def test_every_rule_has_an_id_of_its_own_a_source_and_a_check():
    from approvals.rules.compliance import CHECKS

    rules = [*COMMON, *(rule for table in TABLES.values() for rule in table)]
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(rule.source and rule.check in CHECKS for rule in rules)
    assert {rule.check for rule in rules} == set(CHECKS)


@given(st.sampled_from(["email", "call", "linkedin", "sms"]), st.sampled_from([*sorted(TABLES), "", "XX"]),
       st.sampled_from(["draft", "decision", "dispatch"]), st.booleans())  # fmt: skip
def test_a_suppressed_recipient_is_blocked_everywhere(channel, country, moment, suppressed):
    result = evaluate(replace(CASE, channel=channel, country=country, moment=moment, suppressed=suppressed))
    assert result == evaluate(replace(CASE, channel=channel, country=country, moment=moment, suppressed=suppressed))
    if suppressed:
        assert result.verdict == "BLOCK"
