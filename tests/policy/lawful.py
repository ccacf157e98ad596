"""A policy that collects some classes for everything without asking anybody, as no profile does."""

from __future__ import annotations

from edge.policy.classes import DataClass
from edge.policy.policy_choice import BUILT_IN, PolicyChoice
from edge.policy.rules import ANYWHERE, Basis, Policy, Purpose, Rule


def lawful(*classes: DataClass) -> PolicyChoice:
    rules = {
        (data_class, purpose): Rule(data_class, purpose, Basis.LAW, frozenset({ANYWHERE}))
        for data_class in sorted(classes)
        for purpose in Purpose
    }
    return PolicyChoice(Policy("made up", 1, "", rules), BUILT_IN, "a test says so")


OPERATION = lawful(DataClass.OPERATION)
WITH_POSITION = lawful(DataClass.OPERATION, DataClass.POSITION)
