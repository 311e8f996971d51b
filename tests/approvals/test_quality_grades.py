"""The quality table, row by row, and what no grade survives."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.rules import quality, reading
from approvals.rules.content import with_footer
from approvals.rules.quality import Claim, Draft, Fact, grade_message, unresolved_placeholders
from approvals.rules.quality_bands import POINTS

TODAY = date(2026, 11, 21)
ADDRESS = "1 Main St\nSpringfield, IL 62701"
LINK = "https://us.example/u/token"
WORDS = """Hi Dana,

I saw that Acme Robotics is hiring two sales people. With a team of 14, your first lists decide
how your new reps start.

We hand your reps a short list each morning, with the reason to write and the proof. At Fintly,
ramp fell from six weeks to two.

Would it help if I sent you the list made for your team?

Sam
"""
FACTS = (
    Fact("hiring", ("hiring",), (1,), "company", TODAY - timedelta(days=9)),
    Fact("team_size", ("14",), (2,), "company", TODAY - timedelta(days=9)),
)
CLAIMS = (
    Claim("With a team of 14, your first lists decide how your new reps start.", (2,)),
    Claim("At Fintly, ramp fell from six weeks to two.", source="value_proposition:1", kind="proof"),
)


def draft(words=WORDS, **changes):
    body = with_footer(words, sender_name="Sam Doe", postal_address=ADDRESS, unsubscribe_url=LINK)
    base = Draft(
        subject="Acme's new sales hires", body=body, today=TODAY, first_name="Dana", company_name="Acme Robotics",
        facts=FACTS, claims=CLAIMS, sender_name="Sam Doe", postal_address=ADDRESS, unsubscribe_url=LINK,
    )  # fmt: skip
    return replace(base, **changes)


def check(quality_, key):
    return next(item for item in quality_.checks if item.key == key)


def hard(quality_):
    return {failure.key for failure in quality_.hard}


def prose(count):
    return " ".join(["we"] * (count - 1) + ["go."])


def test_a_good_message_gets_an_a_and_full_points():
    graded = grade_message(draft())
    assert (graded.grade, graded.score, graded.hard) == ("A", 100, ()), graded
    assert graded.route == "queue"
    assert all(item.passed for item in graded.checks)


def test_the_points_of_the_table_sum_to_100():
    assert sum(POINTS.values()) == 100
    assert set(POINTS) == {item.key for item in grade_message(draft()).checks}


@pytest.mark.parametrize(
    ("count", "touch", "points"),
    [(24, 1, 0), (25, 1, 7.5), (39, 1, 7.5), (40, 1, 15), (90, 1, 15), (91, 1, 7.5), (125, 1, 7.5), (126, 1, 0),
     (39, 2, 0), (40, 2, 15), (150, 2, 15), (151, 2, 0)],
)  # fmt: skip
def test_length_bands(count, touch, points):
    assert check(grade_message(draft(prose(count), touch=touch)), "words").points == points


@pytest.mark.parametrize(("count", "points"), [(25, 12), (26, 6), (32, 6), (33, 0)])
def test_reading_bands(count, points):
    # One sentence of words of one syllable reads at 0.39 · words − 3.79: 25 words at 5.96, 26 at 6.35, 33 at 9.08.
    assert check(grade_message(draft(prose(count))), "reading").points == points


def test_the_longest_words_are_named_first():
    item = check(grade_message(draft(prose(30)[:-1] + " company organization internationalization.")), "reading")
    assert (item.points, item.words) == (0, ("internationalization", "organization", "company"))


@pytest.mark.parametrize(
    ("key", "changes", "saw"),
    [
        ("subject", {"subject": "NEW SALES HIRES"}, "shouts"),
        ("subject", {"subject": "your hires!"}, "has an exclamation mark"),
        ("call_to_action", {"words": "It rains."}, "nothing is asked"),
        ("call_to_action", {"words": "Worth a look? Could we talk on Tuesday?"}, "2 things are asked"),
        ("personalization", {"facts": FACTS[:1]}, "names hiring; a second fact is missing"),
        (
            "personalization",
            {"facts": tuple(replace(fact, observed_on=None) for fact in FACTS)},
            "names hiring, team size; a company fact from the last 90 days is missing",
        ),
    ],
)
def test_a_check_says_what_is_missing(key, changes, saw):
    assert check(grade_message(draft(**changes)), key).saw == saw


@pytest.mark.parametrize(
    ("subject", "points"),
    [
        (f"{'a' * 22} {'b' * 22}", 10),  # 45 characters
        (f"{'a' * 22} {'b' * 23}", 5),
        ("two words", 10),
        ("five short words of text", 10),
        ("one two three four five six", 5),
        ("a b c d e f g h", 5),
        ("a b c d e f g h i", 0),
        ("word", 0),
        ("NEW SALES HIRES", 0),
        ("your hires!", 0),
        ("extraordinarily considerable representation development", 5),
        ("", 0),
    ],
)
def test_subject_bands(subject, points):
    assert check(grade_message(draft(subject=subject)), "subject").points == points


@pytest.mark.parametrize(
    ("facts", "points"),
    [
        (FACTS, 20),
        (FACTS[:1], 10),
        ((), 0),
        ((replace(FACTS[0], evidence_ids=()), FACTS[1]), 10),
        ((replace(FACTS[0], observed_on=TODAY - timedelta(days=91)), replace(FACTS[1], observed_on=None)), 10),
        ((replace(FACTS[0], observed_on=TODAY + timedelta(days=1)), replace(FACTS[1], observed_on=None)), 10),
        ((replace(FACTS[0], observed_on=TODAY - timedelta(days=90)), replace(FACTS[1], observed_on=None)), 20),
        ((replace(FACTS[0], observed_on=TODAY), replace(FACTS[1], observed_on=None)), 20),
        ((replace(FACTS[0], about="person"), replace(FACTS[1], about="person")), 10),
        ((FACTS[0], Fact("nothing", ("",), (3,))), 10),
        ((FACTS[0], replace(FACTS[1], terms=("fourteen", "14"))), 20),  # any of its words will do
        ((FACTS[0], replace(FACTS[0])), 10),
        ((FACTS[0], Fact("place", ("Lisbon",), (3,))), 10),
    ],
)
def test_personal_facts_count_only_when_evidenced_named_and_recent(facts, points):
    assert check(grade_message(draft(facts=facts)), "personalization").points == points


@pytest.mark.parametrize(
    ("ask", "points"),
    [
        ("Would it help if I sent you the list?", 15),
        ("Worth a look?", 15),
        ("Is this something you are looking at?", 15),
        ("Shall I send it over?", 15),
        ("Let me know.", 15),
        ("Open to a 15-minute call next week?", 7.5),
        ("Could we talk on Tuesday?", 7.5),
        ("Book a slot in my calendar.", 7.5),
        ("Have a fine day.", 0),
        ("Worth a look? Or could we talk on Tuesday?", 0),
    ],
)
def test_one_ask_and_of_interest(ask, points):
    words = f"Hi Dana,\n\nAcme Robotics is hiring. How do your reps find their first accounts today?\n\n{ask}\n"
    assert check(grade_message(draft(words, claims=())), "call_to_action").points == points


@pytest.mark.parametrize(("count", "points"), [(0, 0), (1, 5), (2, 5), (3, 2.5), (4, 0)])
def test_question_bands(count, points):
    graded = grade_message(draft("Hi Dana,\n\nHello there. " + "Is it so? " * count))
    assert check(graded, "questions").points == points


@pytest.mark.parametrize(
    ("links", "extra", "points"),
    [(0, {}, 8), (1, {}, 8), (2, {}, 4), (3, {}, 0), (0, {"images": 1}, 0), (0, {"attachments": 1}, 0)],
)
def test_links_images_and_attachments(links, extra, points):
    words = WORDS + "".join(f"https://us.example/p{number}\n" for number in range(links))
    assert check(grade_message(draft(words, **extra)), "links").points == points


@pytest.mark.parametrize(("hype", "points"), [("", 5), ("Amazing.", 2.5), ("Amazing, a game-changer.", 0)])
def test_hype_terms_are_named(hype, points):
    item = check(grade_message(draft(WORDS + hype)), "hype")
    assert item.points == points
    assert len(item.words) == (0, 1, 2)[[5, 2.5, 0].index(points)]


def test_our_own_unsubscribe_link_is_no_link():
    assert check(grade_message(draft(f"{WORDS}https://us.example/p\n{LINK}\n")), "links").points == 8
    assert check(grade_message(draft(f"{WORDS}https://us.example/p\nhttps://us.example/q\n")), "links").points == 4


def test_hype_hides_in_no_longer_word():
    assert check(grade_message(draft(WORDS + "The cheaper way, unlocked.")), "hype").points == 5


@pytest.mark.parametrize(
    ("words", "points"),
    [("You and your team and I.", 5), ("You see, I do.", 5), ("You see, I know we do.", 2.5),
     ("I think we know, I do, you see.", 0),
     ("It rains.", 0), ("Your list is there.", 5)],
)  # fmt: skip
def test_more_about_you_than_about_us(words, points):
    assert check(grade_message(draft(words)), "you_ratio").points == points


@pytest.mark.parametrize(
    ("sentence", "claims", "points"),
    [
        ("At Fintly, ramp fell to two weeks.", (Claim("At Fintly, ramp fell to two weeks.", (5,), "", "proof"),), 5),
        ("At Fintly, ramp fell to two weeks.", (Claim("At Fintly, ramp fell to two weeks.", (5,)),), 0),
        ("At Fintly, ramp fell to two weeks.", (Claim("At Fintly, ramp fell to two weeks.", kind="proof"),), 0),
        ("It works for most of them.", (Claim("It works for most of them.", (), "vp:1", "proof"),), 2.5),
        ("Many teams do this.", (), 2.5),
        ("It rains.", (), 0),
    ],
)
def test_proof_bands(sentence, claims, points):
    assert check(grade_message(draft(f"Hi Dana,\n\n{sentence}\n", claims=claims)), "proof").points == points


@pytest.mark.parametrize(
    ("words", "changes", "key"),
    [
        (WORDS.replace("Dana", "{{ first_name }}"), {}, "placeholder"),
        (WORDS + "[Name]", {}, "placeholder"),
        (WORDS + "%FIRST%", {}, "placeholder"),
        (WORDS.replace("Acme Robotics", "None"), {}, "placeholder"),
        (WORDS, {"subject": "{company} hires"}, "placeholder"),
        (WORDS.replace("Hi Dana", "Hi Eve"), {}, "wrong_name"),
        (WORDS + "I like what Globex does.", {"foreign_names": ("Globex",)}, "wrong_company"),
        (WORDS + "It saves 40% of the time.", {}, "number"),
        # a claim speaks for its own words only
        (WORDS + "It saves 40% of the time.", {"claims": (*CLAIMS, Claim("It saves", (2,)))}, "number"),
        (WORDS + "It saves 40% of the time.", {"claims": (*CLAIMS, Claim("saves 40", (2,)))}, "number"),
        (WORDS + "It saves 40% of it.", {"claims": (*CLAIMS, Claim("It saves 40% of it.", ()))}, "number"),
        (WORDS + "We helped Globex grow.", {"claims": (*CLAIMS, Claim("grow", (2,)))}, "customer"),
        (WORDS, {"subject": "Save 40 hours a month"}, "number"),
        (WORDS + "We helped Globex grow.", {}, "customer"),
        (WORDS + "Trusted by Globex.", {}, "customer"),
        (WORDS, {"claims": (*CLAIMS[:1], Claim("At Fintly, ramp fell from six weeks to two."))}, "claim"),
        (WORDS, {"subject": "Re: our talk"}, "fake_thread"),
        (WORDS, {"subject": "FWD: your hires"}, "fake_thread"),
        (WORDS + "https://bit.ly/abc", {}, "shortener"),
        (WORDS, {"suppressed": True}, "suppressed"),
        (WORDS, {"postal_address": "2 Other St"}, "identity"),
        (WORDS, {"unsubscribe_url": ""}, "identity"),
        (WORDS, {"sender_name": "Eve"}, "identity"),
        (WORDS, {"sender_name": ""}, "identity"),
        (WORDS, {"postal_address": "1 Main St\nElsewhere"}, "identity"),
        (WORDS, {"unsubscribe_url": "https://us.example/u/other"}, "identity"),
        (WORDS + "http://www.bit.ly/abc", {}, "shortener"),
    ],
)
def test_hard_failures_are_an_f_and_name_the_words(words, changes, key):
    graded = grade_message(draft(words, **changes))
    assert key in hard(graded)
    assert graded.grade == "F"
    assert graded.route == "blocked"
    assert all(failure.words for failure in graded.hard if failure.key != "suppressed")


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (WORDS.replace("Hi Dana,", "Hi there,"), {}),
        (WORDS.replace("Hi Dana,", "Hi Acme Robotics team,"), {}),
        (WORDS.replace("Hi Dana,", "Hello Dana Lee,"), {}),
        (WORDS, {"subject": "Re: our talk", "has_prior_thread": True}),
        (WORDS.replace("Would it help if I sent you the list made for your team?", "Open to a 15-minute call?"), {}),
        (WORDS + "None of this is urgent work.", {}),
        (WORDS, {"claims": (*CLAIMS, Claim("We helped Globex grow."))}),  # it was edited out
        (WORDS, {"foreign_names": ("Globex", "Acme Robotics", "")}),
        (WORDS + "It’s known: it saves 40% of it.", {"claims": (*CLAIMS, Claim("it's  known: It saves 40%", (2,)))}),
        (WORDS + "\nIt saves 40%. Of it.", {"claims": (*CLAIMS, Claim("It saves 40%. Of it.", (2,)))}),
        (WORDS + "We helped Globex grow.", {"claims": (*CLAIMS, Claim("helped Globex grow", (2,)))}),
        (WORDS, {"postal_address": "1 Main St, \n\n Springfield, IL 62701"}),
        (WORDS, {"postal_address": "1  Main St\nSpringfield,\tIL 62701", "sender_name": "Sam  Doe "}),
        (WORDS.replace("team of 14", "team of 14-20"), {"facts": (*FACTS, Fact("range", ("14-20",), (3,)))}),
        (WORDS.replace("Acme Robotics", "7shifts"), {"company_name": "7shifts", "subject": "7shifts hires"}),
    ],
)
def test_what_only_looks_like_a_hard_failure_passes(words, changes):
    assert hard(grade_message(draft(words, **changes))) == set()


@pytest.mark.parametrize(
    ("score", "grade", "route"),
    [(100, "A", "queue"), (90, "A", "queue"), (89.5, "B+", "queue"), (85, "B+", "queue"),
     (84.5, "B", "queue_with_hints"), (75, "B", "queue_with_hints"), (74, "C", "redraft"), (65, "C", "redraft"),
     (64, "D", "blocked"), (50, "D", "blocked"), (49, "F", "blocked")],
)  # fmt: skip
def test_grades_follow_the_score(score, grade, route, monkeypatch):
    monkeypatch.setattr(quality, "CHECKS", (("words", "Length", lambda *_: (score / 15, "", ())),))
    graded = grade_message(draft())
    assert (graded.grade, graded.route) == (grade, route)


@given(st.text(max_size=400), st.text(max_size=80))
def test_any_text_is_graded_between_0_and_100_and_always_the_same(words, subject):
    one, two = grade_message(draft(words, subject=subject)), grade_message(draft(words, subject=subject))
    assert 0 <= one.score <= 100
    assert one == two
    assert one.as_dict()["score"] == one.score


MARKS = ["{{ x }}", "{{x|default:''}}", "{% if a %}", "[First Name]", "%COMPANY%", "*|FNAME|*", "${name}"]


@given(st.sampled_from(MARKS), st.text(alphabet="abc ", max_size=20))
def test_a_placeholder_is_found_wherever_it_stands(mark, text):
    assert unresolved_placeholders(f"{text}{mark}{text}")


@pytest.mark.parametrize(
    ("text", "grade"),
    [("The cat sat on the mat.", -1.45), ("You can go.", -2.62)],
)
def test_school_grade_matches_the_formula_by_hand(text, grade):
    assert reading.school_grade(text) == pytest.approx(grade, abs=0.01)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1),
        ("made", 1),
        ("table", 2),
        ("hiring", 2),
        ("company", 3),
        ("worked", 1),
        ("wanted", 2),
        ("team", 1),
        ("14", 1),
    ],
)
def test_syllables(word, count):
    assert reading.syllables(word) == count


def test_sentences_leave_out_the_greeting_and_the_signature():
    found = reading.sentences("Hi Dana,\n\nAcme Inc. is hiring. Good?\n\nBest,\nSam\n")
    assert found == ("Acme Inc. is hiring.", "Good?")


def test_an_edited_sentence_keeps_its_evidence_until_a_number_changes():
    body = draft(WORDS.replace("With a team of 14,", "With your team of 14,")).body
    kept = quality.claims_after_edit(CLAIMS, body)
    assert Claim("With your team of 14, your first lists decide how your new reps start.", (2,)) in kept
    assert grade_message(draft(WORDS.replace("With a", "With your"), claims=kept)).grade == "A"
    changed = WORDS.replace("team of 14", "team of 15")
    lost = quality.claims_after_edit(CLAIMS, draft(changed).body)
    assert "number" in hard(grade_message(draft(changed, claims=lost)))
    other_words = draft(WORDS.replace("a team of 14", "a crew of 14")).body
    assert (2,) in [claim.evidence_ids for claim in quality.claims_after_edit(CLAIMS, other_words)]
    rewritten = draft("Hi Dana,\n\nYour crew decides on 14 things before lunch.\n").body
    assert quality.claims_after_edit(CLAIMS, rewritten) == ()


def test_evidence_is_named_by_its_quote_or_by_what_the_claims_about_it_say():
    claims = [
        {"sentence": "You opened in Lisbon.", "evidence_ids": [3], "terms": ["Lisbon", ""]},
        {"sentence": "You hire.", "evidence_ids": [3]},
        {"sentence": "It rains.", "evidence_ids": [4]},
        {"sentence": "Nobody cites this."},
    ]
    fact = Fact.cited("place", "Lisboa", 3, claims, company="Acme", observed_on=TODAY)
    assert (fact.terms, fact.evidence_ids, fact.about) == (("Lisboa", "Lisbon", "You hire."), (3,), "company")
    named = Fact.cited("name", "Acme", 4, claims, company="Acme", observed_on=TODAY)
    assert named.terms == ("It rains.",)


def test_a_claim_is_read_as_it_was_kept():
    kept = {"sentence": "A", "evidence_ids": [1, 2], "source": "value_proposition:1", "kind": "proof"}
    assert Claim.read(kept) == Claim("A", (1, 2), "value_proposition:1", "proof")
    assert Claim.read({"sentence": "A", "evidence_ids": None, "kind": "other"}) == Claim("A")
