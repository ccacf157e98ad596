"""docs/policy.md says what is so: its example, its keys, its profiles, its hostile policies."""

import re
import tomllib
from pathlib import Path

import pytest

from edge.config.policy import PolicySection
from edge.policy.classes import DataClass
from edge.policy.policy_tables import AreaTable, DenyTable, DestinationTable, PolicyTables, RuleTable, Table
from edge.policy.policyfile import PROFILES, profile, read_policy
from edge.policy.rules import Basis, Purpose
from tests.policy.hostile_policies import HOSTILE

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = next(block for block in BLOCKS if block.startswith("format"))


def rows(heading: str) -> list[list[str]]:
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in re.findall(r"^\|.*\|$", part, re.MULTILINE)
    ]


def test_the_example_is_a_policy() -> None:
    policy = read_policy(EXAMPLE.encode(), Path("policy.md")).policy
    assert policy.rule(DataClass.EXTERIOR, Purpose.RECORDING) is None
    assert policy.rule(DataClass.EXTERIOR, Purpose.EVENT) is not None
    assert policy.areas[0].margin_m == 50


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("", PolicyTables),
        ("rule", RuleTable),
        ("deny", DenyTable),
        ("destination", DestinationTable),
        ("area", AreaTable),
    ],
)
def test_the_example_shows_every_key(table: str, model: type[Table]) -> None:
    found = tomllib.loads(EXAMPLE)
    shown = found[table][0] if table else found
    assert shown.keys() == {field.alias or name for name, field in model.model_fields.items()}


def test_the_tables_of_the_configuration_are_such() -> None:
    tables = [tomllib.loads(block)["policy"] for block in BLOCKS if block.startswith("[policy]")]
    assert len(tables) == 2
    for table in tables:
        PolicySection.model_validate(table)


def test_the_profiles_are_as_the_table_says() -> None:
    said = {
        (cells[0], cells[1], name): cell
        for cells in rows("Profiles")[2:]
        for name, cell in zip(PROFILES, cells[2:], strict=True)
    }
    for name in PROFILES:
        for data_class in DataClass:
            for purpose in Purpose:
                rule = profile(name).rule(data_class, purpose)
                words = ""
                if rule is not None and rule.basis is Basis.LAW:
                    words = "law"
                elif rule is not None:
                    words = f"consent, {rule.longest_days:g} days"
                    words += "" if rule.precision.full else f", {rule.precision}"
                assert said.get((data_class, purpose, name), "") == words


def test_every_hostile_policy_is_in_the_table_once() -> None:
    named = [name.strip() for cells in rows("When one is refused")[2:] for name in cells[0].split(";")]
    assert sorted(name for name in named if not name.startswith("**")) == sorted(HOSTILE)
