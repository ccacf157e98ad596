"""`nevgate policy check`, `policy sign`, and what `config check` says of a policy."""

import json
from pathlib import Path

import pytest

from edge.config.configuration import load_config
from edge.journal.configuration_notes import JournalVersions
from edge.policy.policy_choice import ShortMemory, choose_policy
from edge.policy.policyfile import profile
from tests.cli.running import Outcome, Program
from tests.journal.journal_rig import Rig
from tests.policy.policy_text import DESTINATION, RULE, WHOLE, changed, line_of, written


@pytest.fixture
def issuer(nevgate: Program) -> Path:
    assert nevgate("keys", "make", "issuer.pem").code == 0
    return Path("issuer.pem")


@pytest.fixture
def policy(tmp_path: Path, nevgate: Program, issuer: Path) -> Path:
    """A policy and its signature."""
    path = written(tmp_path, WHOLE)
    assert nevgate("policy", "sign", "--key", issuer, path).code == 0
    return path


@pytest.fixture
def bench(tmp_path: Path, nevgate: Program) -> Path:
    path = tmp_path / "bench.toml"
    assert nevgate("config", "init", "--bench", path).code == 0
    assert nevgate("keys", "make", "keys/LNVGATE00XDEM0001.pem").code == 0
    assert nevgate("keys", "make", "platform.pem").code == 0
    return path


def with_policy(bench: Path, table: str) -> Path:
    bench.write_text(changed('profile = "gbt44464"', table, bench.read_text("utf-8")), "utf-8")
    return bench


SIGNED = 'file = "policy.toml"\nkey = "issuer.pub.pem"'


def refused(outcome: Outcome, words: str) -> bool:
    return (
        outcome.code == 1
        and words in outcome.err
        and "the policy is refused; 'strict' would be in force in its place\n" in outcome.err
    )


class TestCheckOfAFile:
    def test_says_in_words_what_is_collected(self, nevgate: Program, policy: Path) -> None:
        outcome = nevgate("policy", "check", policy, "--key", "issuer.pub.pem")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("fleet north version 3 (")
        assert "signature: good" in outcome.out
        assert "contact: privacy@example.org" in outcome.out
        assert (
            "service: by consent for at most 30 days, erased within 1 hour of its withdrawal; may leave to "
            "fleet: CN; precision geohash 5; kept 7 days; GB/T 44464-2024, 5.2\n"
        ) in outcome.out
        assert "  cabin     regulated, service: not collected\n" in outcome.out
        assert (
            "destination fleet: service, CN, data.example.cn, *.fleet.example.cn at 203.0.113.0/24"
            in outcome.out
        )
        assert "area yard: 4 corners in WGS84, 50 m around them too; inside no cabin, exterior" in outcome.out

    def test_without_a_key_says_that_the_signature_was_not_checked(
        self, nevgate: Program, policy: Path
    ) -> None:
        outcome = nevgate("policy", "check", policy)
        assert outcome.code == 0
        assert "signature: not checked, since no --key was given" in outcome.out

    def test_a_bad_signature_leaves_strict(self, nevgate: Program, policy: Path) -> None:
        written(policy.parent, changed("longest_days = 30", "longest_days = 31"))
        outcome = nevgate("policy", "check", policy, "--key", "issuer.pub.pem")
        assert refused(outcome, "signs another file than this one")
        assert outcome.out.startswith("strict (")
        assert "  position  not collected\n" in outcome.out

    def test_a_bad_content_is_told_with_its_line(self, nevgate: Program, tmp_path: Path) -> None:
        text = changed("longest_days = 30", "longest_days = 999")
        outcome = nevgate("policy", "check", written(tmp_path, text))
        assert refused(outcome, f"policy.toml:{line_of(text, 'longest_days')}: 'longest_days': 999 days")

    def test_json(self, nevgate: Program, policy: Path) -> None:
        found = json.loads(nevgate("policy", "check", policy, "--key", "issuer.pub.pem", "--json").out)
        assert (found["name"], found["version"], found["refused"]) == ("fleet north", 3, False)
        assert found["signature"] == "good"
        [use] = [use for use in found["uses"] if (use["class"], use["purpose"]) == ("position", "service")]
        assert (use["basis"], use["longest_days"], use["precision"]) == ("consent", 30, "geohash 5")
        assert len(found["uses"]) == len(profile("gbt44464").rules)
        assert found["areas"][0]["withhold"] == ["cabin", "exterior"]
        policy.unlink()
        outcome = nevgate("policy", "check", policy, "--json")
        found = json.loads(outcome.out)
        assert (outcome.code, found["name"], found["refused"]) == (1, "strict", True)

    @pytest.mark.parametrize(
        "words",
        [
            ("policy.toml", "-c", "nevgate.toml"),
            ("--key", "issuer.pub.pem"),
            ("policy.toml", "--signature", "policy.toml.sig"),
        ],
    )
    def test_what_does_not_go_together(self, nevgate: Program, words: tuple[str, ...]) -> None:
        assert nevgate("policy", "check", *words).code == 2


class TestCheckOfAConfiguration:
    def test_a_profile(self, nevgate: Program, bench: Path) -> None:
        outcome = nevgate("policy", "check", "-c", bench)
        assert outcome.code == 0
        assert "signature: built in; the configuration names the profile 'gbt44464'" in outcome.out

    def test_a_signed_policy(self, nevgate: Program, bench: Path, policy: Path) -> None:
        outcome = nevgate("policy", "check", "-c", with_policy(bench, SIGNED))
        assert outcome.code == 0
        assert f"signature: good; {policy} is version 3" in outcome.out

    def test_no_configuration_is_an_error_of_its_own(self, nevgate: Program) -> None:
        assert nevgate("policy", "check").code == 2

    def test_a_version_that_the_journal_has_seen_bars_an_older_one(
        self, nevgate: Program, bench: Path, policy: Path, issuer: Path, tmp_path: Path
    ) -> None:
        config = load_config(with_policy(bench, SIGNED))
        written(tmp_path, changed("version = 3", "version = 4"))
        assert nevgate("policy", "sign", "--key", issuer, policy).code == 0
        rig = Rig(tmp_path / "journal").start()
        newer = choose_policy(config.policy, ShortMemory(), wall_ns=0, clock_trusted=True)
        JournalVersions(rig.open, rig.clock).remember(newer)
        rig.open.journal.commit()
        written(tmp_path, WHOLE)
        assert nevgate("policy", "sign", "--key", issuer, policy).code == 0
        assert refused(
            nevgate("policy", "check", "-c", bench), "is version 3 of 'fleet north', and 4 was in force"
        )
        rig.stop()
        assert refused(
            nevgate("policy", "check", "-c", bench), "is version 3 of 'fleet north', and 4 was in force"
        )

    def test_config_check_says_what_is_collected_and_warns_of_a_refused_policy(
        self, nevgate: Program, bench: Path, policy: Path
    ) -> None:
        good = nevgate("config", "check", with_policy(bench, SIGNED))
        assert good.code == 0
        assert "policy fleet north version 3 (" in good.out
        assert "warning" not in good.out
        policy.unlink()
        bad = nevgate("config", "check", bench)
        assert bad.code == 0
        assert f"warning: {policy}: there is no such file. Check the path; 'strict' is in force" in bad.out
        assert "policy strict (" in bad.out
        items = [json.loads(nevgate("config", "check", bench, "--json").out)]
        bench.write_text(bench.read_text("utf-8").replace(SIGNED, "profile = 'gbt44464'"), "utf-8")
        items.append(json.loads(nevgate("config", "check", bench, "--json").out))
        assert {*items[0]["items"]} < {*items[1]["items"]}
        assert "gnss.lon" in {*items[1]["items"]} - {*items[0]["items"]}


class TestSign:
    def test_writes_the_signature_beside_the_policy(
        self, nevgate: Program, policy: Path, issuer: Path
    ) -> None:
        found = json.loads(nevgate("policy", "sign", "--key", issuer, policy, "--json").out)
        assert found["signature"] == str(policy) + ".sig"
        assert found["policy"].startswith("fleet north version 3 (")
        assert found["key_id"] in nevgate("policy", "check", policy, "--key", "issuer.pub.pem").out

    def test_writes_it_elsewhere(self, nevgate: Program, policy: Path, issuer: Path) -> None:
        assert nevgate("policy", "sign", "--key", issuer, policy, "--out", "other.sig").code == 0
        words = ("policy", "check", policy, "--key", "issuer.pub.pem", "--signature", "other.sig")
        assert "signature: good" in nevgate(*words).out

    def test_signs_nothing_that_would_be_refused(
        self, nevgate: Program, issuer: Path, tmp_path: Path
    ) -> None:
        text = changed(DESTINATION, "")
        outcome = nevgate("policy", "sign", "--key", issuer, written(tmp_path, text))
        assert outcome.code == 1
        assert f"policy.toml:{line_of(text, 'destinations')}: " in outcome.err
        assert not (tmp_path / "policy.toml.sig").exists()

    def test_never_writes_over_the_policy(self, nevgate: Program, policy: Path, issuer: Path) -> None:
        assert nevgate("policy", "sign", "--key", issuer, policy, "--out", policy).code == 1
        assert RULE in policy.read_text("utf-8")

    def test_replaces_a_link_and_not_what_it_points_to(
        self, nevgate: Program, policy: Path, issuer: Path, tmp_path: Path
    ) -> None:
        victim = written(tmp_path, "precious", "victim")
        signature = tmp_path / "policy.toml.sig"
        signature.unlink()
        signature.symlink_to(victim)
        assert nevgate("policy", "sign", "--key", issuer, policy).code == 0
        assert victim.read_text("utf-8") == "precious"
        assert not signature.is_symlink()

    def test_takes_no_key_that_others_can_read(self, nevgate: Program, policy: Path, issuer: Path) -> None:
        issuer.chmod(0o644)
        assert "can be read or written by others" in nevgate("policy", "sign", "--key", issuer, policy).err
