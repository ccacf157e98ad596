"""`Check`: one question about a period, its answer, and the evidence in sentences of both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edge.report.clauses import clauses
from edge.report.words import LANGUAGES, words

Plain = str | int | float


class Outcome(StrEnum):
    """What a check shows."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the evidence.

    Attributes:
        key: of its text in the words of each language.
        values: that stand in it.
    """

    key: str
    values: Mapping[str, Plain]

    def as_json(self) -> dict[str, object]:
        """Key, values, and the text in each language."""
        texts = {one: words(one)(f"evidence.{self.key}", **self.values) for one in LANGUAGES}
        return {"key": self.key, "values": dict(self.values), **texts}


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer.

    Attributes:
        name: of the question.
        outcome: the answer.
        evidence: why; never empty.
        clauses: names of the clauses that it answers; none for what the other checks rest on.
    """

    name: str
    outcome: Outcome
    evidence: tuple[Sentence, ...]
    clauses: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """As plain values."""
        return {
            "check": self.name,
            **{f"title_{one}": words(one)(f"check.{self.name}") for one in LANGUAGES},
            "outcome": str(self.outcome),
            "evidence": [one.as_json() for one in self.evidence],
            "clauses": [clauses()[one].as_json() for one in self.clauses],
        }


class Answer:
    """Gathers the evidence of a check; one failure fails it, else one doubt leaves it unproven.

    Args:
        name: of the check.
        clauses: that it answers.
    """

    def __init__(self, name: str, *clauses: str) -> None:
        self._name = name
        self._clauses = clauses
        self._sentences: dict[Outcome, list[Sentence]] = {one: [] for one in Outcome}

    def shows(self, key: str, /, **values: Plain) -> None:
        """What speaks for it, or should be known."""
        self._sentences[Outcome.PASSED].append(Sentence(key, values))

    def fails(self, key: str, /, **values: Plain) -> None:
        """What must not be."""
        self._sentences[Outcome.FAILED].append(Sentence(key, values))

    def doubts(self, key: str, /, **values: Plain) -> None:
        """What keeps it from being proved."""
        self._sentences[Outcome.NOT_PROVEN].append(Sentence(key, values))

    def check(self) -> Check:
        """The check; what decides it stands first."""
        order = (Outcome.FAILED, Outcome.NOT_PROVEN, Outcome.PASSED)
        outcome = next((one for one in order if self._sentences[one]), Outcome.NOT_PROVEN)
        evidence = tuple(sentence for one in order for sentence in self._sentences[one])
        return Check(self._name, outcome, evidence, self._clauses)
