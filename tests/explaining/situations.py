"""Situations to be explained, over databases that a test makes up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import builtin
from edge.collecting import Described
from edge.config.configuration import Config
from edge.explaining.situation import Agreed, Situation
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.policy_choice import BUILT_IN, PolicyChoice
from edge.policy.rules import Policy
from tests.policy.lawful import lawful

BUS = "bus"


def configured(*buses: str, **tables: object) -> Config:
    """A configuration with a platform on this machine."""
    return Config.model_validate(
        {
            "vehicle": {"vin": "LNVGATE00XDEM0001"},
            "bus": [{"name": bus} for bus in buses],
            "uplink": {"host": "127.0.0.1", "tls": {"enabled": False}, "acknowledge": "puback"},
            "signing": {"key": "key.pem"},
            **tables,
        }
    )


def situation_of(
    databases: Mapping[str, Sequence[ClassedDatabase]],
    collect: Collection[DataClass] = (),
    *,
    policy: Policy | None = None,
    bindings: Mapping[str, Sequence[Binding]] | None = None,
    observed: Sequence[str] = (),
    agreed: Agreed | None = None,
    **tables: Any,  # noqa: ANN401 - tables of a configuration as TOML has them
) -> Situation:
    """A policy over databases; without one, some classes by law for everything."""
    choice = PolicyChoice(policy, BUILT_IN, "a test says so") if policy is not None else lawful(*collect)
    described = Described(databases, bindings or {}, builtin(), observed)
    return Situation(configured(*databases, **tables), choice, described, agreed or Agreed())
