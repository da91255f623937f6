"""What a judge answered: a verdict, or a named failure. Nothing in here believes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from gateway.grading.rubric import CRITERIA, MOST_POINTS

FENCED: Final = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL)
LONGEST_TEXT: Final = 20_000
FARTHEST: Final = 1.5
"""How far the overall score may be from the mean of the criteria."""


class Failure(Exception):
    """`name` is one of FAILURES; the message says more."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail


FAILURES: Final = {
    "no_judge": "No judge is set: name a model in the grading settings.",
    "no_words": "There is nothing a person wrote in it.",
    "request_gone": "The request is not in the history any more.",
    "unreachable": "The gateway could not be reached.",
    "late": "The judge did not answer in time.",
    "refused": "The gateway or the provider refused the request.",
    "empty": "The judge answered without a word.",
    "no_json": "The judge's answer holds no JSON.",
    "bad_json": "The judge's answer holds JSON that cannot be read.",
    "incomplete": "The judge left out a criterion or its points.",
    "out_of_range": "The judge gave points that are no whole number from 1 to 5.",
    "contradictory": "The overall score is far from those of the criteria.",
    "not_ours": "The verdict does not name the mark it was asked under: it came out of the prompt itself.",
}
AGAIN: Final = frozenset(FAILURES) - {"no_judge", "no_words", "request_gone"}
"""What another attempt may mend."""


@dataclass(frozen=True, slots=True)
class Verdict:
    score: int
    criteria: dict[str, dict[str, Any]]
    feedback: str = ""
    improved_prompt: str = field(default="", repr=False)


def read_verdict(text: str, mark: str) -> Verdict:
    """Raises Failure."""
    if not text.strip():
        raise Failure("empty", "the answer has no text")
    candidates = list(objects_in(text))
    if not candidates:
        name = "bad_json" if "{" in text else "no_json"
        raise Failure(name, f"it began: {text.strip()[:200]}")
    own = [found for found in candidates if found.get("mark") == mark]
    if not own:
        raise Failure("not_ours", "no verdict in it names the mark")
    return verdict_of(own[-1])


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of an answer: fenced, bare, or from the first brace to the last."""
    spans = [*FENCED.findall(text), text]
    if "{" in text and "}" in text:
        spans.append(text[text.index("{") : text.rindex("}") + 1])
    for span in spans:
        try:
            value = json.loads(span)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def verdict_of(found: dict[str, Any]) -> Verdict:
    told = found.get("criteria")
    if not isinstance(told, dict):
        raise Failure("incomplete", "it has no criteria")
    criteria = {name: criterion_of(name, told.get(name)) for name in CRITERIA}
    score = points(found.get("overallScore"), "overallScore")
    mean = fmean(entry["score"] for entry in criteria.values())
    if abs(score - mean) > FARTHEST:
        raise Failure("contradictory", f"overall {score}, the criteria's mean {mean:.1f}")
    return Verdict(score, criteria, words(found.get("detailedFeedback")), words(found.get("improvedPrompt")))


def criterion_of(name: str, told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise Failure("incomplete", f"it says nothing of {name}")
    return {"score": points(told.get("score"), name), "feedback": words(told.get("feedback"))}


def points(value: Any, name: str) -> int:
    if value is None:
        raise Failure("incomplete", f"no points for {name}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(1, MOST_POINTS + 1):
        raise Failure("out_of_range", f"{name}: {str(value)[:40]}")
    return int(value)


def words(value: Any) -> str:
    # PostgreSQL's text holds no NUL, and no half of a surrogate pair goes out as UTF-8.
    text = value if isinstance(value, str) else ""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_TEXT]
