"""Text that speaks to a language model instead of to people. It is shown to none, and nothing is quoted from it.

No list of phrases catches everything. What it lets through still meets the validator, which knows no permission,
recipient or limit that a model could change; this keeps the crude attempts from costing money or colouring a judgement.
"""

from __future__ import annotations

import re

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}"
        r"\b(?:previous|prior|above|earlier|preceding|your|all|any|these|the system)\b[^.\n]{0,30}"
        r"\b(?:instructions?|prompts?|rules?|guidelines|directions|constraints|context)\b",
        r"\b(?:system|developer) (?:prompt|message|instructions?)\b",
        r"\bas an? (?:ai|artificial intelligence|(?:ai |large )?language) (?:model|assistant|agent|language model)\b",
        r"\b(?:attention|note|message|instructions?|notice)\b[^.\n]{0,20}\b(?:to|for)\b[^.\n]{0,12}"
        r"\b(?:ai|llms?|language models?|gpt|claude|chat ?bots?)\b(?! (?:startups?|companies|teams|products?))",
        r"\byou are (?:now )?(?:an?|the) (?:ai|assistant|language model|agent|chat ?bot)\b",
        r"\b(?:new|updated|revised) instructions?\s*:",
        r"<\s*+(?:/\s*+)?(?:system|assistant|instructions?|tool_call|function_call)\s*>",
        r"<\|[a-z_]{2,20}\|>",
        r"\[/?(?:INST|SYS)\]",
        r"\bgrant\b[^.\n]{0,30}\b(?:permissions?|access|rights)\b",
    )
)


def addressed_to_models(text: str) -> str:
    """The first words of ``text`` that speak to a language model; empty when none do."""
    for pattern in _PATTERNS:
        found = pattern.search(text)
        if found is not None:
            return found.group().strip()[:120]
    return ""
