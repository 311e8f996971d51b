"""How a text reads: its words, sentences, syllables and school grade."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+")
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*[-*•] )")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:inc|ltd|co|corp|mr|mrs|ms|dr|st|vs|e\.g|i\.e|etc|approx|no|dept|est|[a-z])\.$", re.IGNORECASE
)
_GREETING = re.compile(r"^(?:hi|hello|hey|dear|good (?:morning|afternoon|day)|kia ora|bonjour|hallo)\b", re.IGNORECASE)
_VOWELS = re.compile(r"[aeiouyàáâäãåèéêëìíîïòóôöõùúûüýÿæœø]+")
_SILENT_END = re.compile(r"(?:[^laeiouy]es|[^td]ed|[^laeiouy]e|[aeiou]le)$")
GREETING_WORDS = 6


def urls(text: str) -> tuple[str, ...]:
    """Every web address in the text, without the punctuation that ends the sentence round it."""
    return tuple(match.rstrip(".,;:!?") for match in _URL.findall(text))


def without_urls(text: str) -> str:
    """The text with web addresses taken out, so that their parts do not count as words or numbers."""
    return _URL.sub(" ", text)


def folded(text: str) -> str:
    """The text as it is compared: one case, one kind of apostrophe, single spaces."""
    return " ".join(text.replace("’", "'").casefold().split())


def words(text: str) -> tuple[str, ...]:
    """The words of a text; web addresses are not words."""
    return tuple(_WORD.findall(without_urls(text)))


def is_greeting(line: str) -> bool:
    """Whether a line only says hello: "Hi Dana," and the like."""
    return bool(_GREETING.match(line.strip())) and len(words(line)) <= GREETING_WORDS


def sentences(text: str) -> tuple[str, ...]:
    """Sentences of the prose; a greeting or signing-off ("Hi Dana,", "Best, Sam") is not a sentence."""
    found: list[str] = []
    for paragraph in _PARAGRAPH.split(_without_greeting(text)):
        flat = " ".join(paragraph.split())
        if flat and not (flat[-1] not in '.!?:"”' and len(words(flat)) <= GREETING_WORDS):
            found.extend(_in_paragraph(flat))
    return tuple(found)


def _without_greeting(text: str) -> str:
    lines = text.strip().split("\n")
    return "\n".join(lines[1:]) if lines and is_greeting(lines[0]) else text


def _in_paragraph(flat: str) -> list[str]:
    found: list[str] = []
    for part in _END.split(flat):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {part}"
        elif part:
            found.append(part)
    return found


def syllables(word: str) -> int:
    """Vowel groups, less a silent ending; at least one. Counting without a dictionary is right for most words."""
    plain = re.sub(r"[^\w]", "", word.casefold())
    if not plain or plain.isdigit():
        return 1
    count = len(_VOWELS.findall(plain))
    if count > 1 and _SILENT_END.search(plain) and not re.search(r"[^aeiouy]le$", plain):
        count -= 1
    return max(1, count)


def school_grade(text: str) -> float:
    """Flesch–Kincaid grade: 0.39·words/sentence + 11.8·syllables/word − 15.59 (Kincaid et al., 1975). 0 if no words."""
    prose = sentences(text)
    spoken = [word for sentence in prose for word in words(sentence)]
    if not spoken:
        return 0.0
    per_sentence = len(spoken) / len(prose)
    per_word = sum(syllables(word) for word in spoken) / len(spoken)
    return 0.39 * per_sentence + 11.8 * per_word - 15.59
