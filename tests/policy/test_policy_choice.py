"""Which policy is in force, whatever lies in the place of the policy file."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import NS_PER_DAY
from edge.config.policy import PolicySection
from edge.errors import JournalError, PolicyError
from edge.journal.block import BlockKind
from edge.journal.configuration_notes import JournalVersions, seen_versions
from edge.journal.upkeep.bounds import Bounds, endless
from edge.journal.upkeep.limits import BoundsSettings
from edge.policy.guarded_file import read_guarded
from edge.policy.policy_choice import (
    PolicyChoice,
    SeenVersion,
    ShortMemory,
    VersionMemory,
    choose_policy,
    in_place_of_refused,
    shown,
    unix_ns,
)
from edge.policy.policyfile import PROFILES, profile
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from tests.journal.journal_rig import Rig
from tests.policy.hostile_policies import ES256_ISSUER, HOSTILE, ISSUER, NOW, Bench
from tests.policy.policy_text import HEAD, WHOLE, changed, written

LONGEST_S = 2.0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_policy_leaves_the_strictest_in_force(name: str, bench: Bench) -> None:
    hostile = HOSTILE[name]
    hostile.lay_out(bench)
    if name == "somebody else's" and os.geteuid():
        pytest.skip("only root can give a file away")
    before = time.monotonic()
    choice = bench.choice()
    assert time.monotonic() - before < LONGEST_S
    assert choice.policy is profile("strict")
    assert choice.complaint is not None
    assert hostile.said in str(choice.complaint)
    assert choice.signature.startswith("refused: ")
    assert hostile.said in choice.signature
    assert choice.why.endswith("; 'strict' is in force in its place")
    assert choice.why.isprintable()
    assert choice.seen is None


class TestWithoutAFile:
    def test_nothing_configured_is_strict(self) -> None:
        choice = choose_policy(PolicySection(), ShortMemory(), wall_ns=0, clock_trusted=False)
        assert choice.policy is profile("strict")
        assert (choice.signature, choice.why, choice.complaint) == (
            "built in",
            "no policy is configured",
            None,
        )

    @pytest.mark.parametrize("name", PROFILES)
    def test_a_profile_is_taken_as_it_is(self, name: str) -> None:
        section = PolicySection.model_validate({"profile": name})
        choice = choose_policy(section, ShortMemory(), wall_ns=0, clock_trusted=False)
        assert choice.policy is profile(name)
        assert (choice.signature, choice.complaint, choice.expires_ns) == ("built in", None, None)
        assert choice.why == f"the configuration names the profile '{name}'"

    def test_one_without_a_key_is_refused(self, bench: Bench) -> None:
        bench.issue()
        section = PolicySection.model_construct(file=bench.file)
        choice = choose_policy(section, ShortMemory(), wall_ns=0, clock_trusted=True)
        assert choice.policy is profile("strict")
        assert "cannot be checked without its issuer's public key" in choice.why


class TestAGoodPolicy:
    def test_is_in_force_and_names_its_signer(self, bench: Bench) -> None:
        bench.issue()
        choice = bench.choice()
        assert (choice.policy.name, choice.policy.version) == ("fleet north", 3)
        assert (choice.signature, choice.complaint) == ("good", None)
        assert choice.key_id == ISSUER.public.key_id
        assert ISSUER.public.key_id.hex() in choice.why

    def test_may_be_signed_by_a_secure_element(self, bench: Bench) -> None:
        written(bench.folder, ES256_ISSUER.public.pem, bench.key.name)
        bench.issue(key=ES256_ISSUER)
        assert bench.choice().signature == "good"

    def test_may_have_its_signature_elsewhere(self, bench: Bench) -> None:
        bench.issue()
        elsewhere = bench.signature.rename(bench.folder / "elsewhere.sig")
        section = PolicySection(file=bench.file, signature=elsewhere, key=bench.key)
        assert choose_policy(section, ShortMemory(), wall_ns=0, clock_trusted=True).signature == "good"

    def test_is_taken_again_and_again(self, bench: Bench) -> None:
        bench.take(WHOLE)
        bench.take(WHOLE)
        bench.take(changed("version = 3", "version = 4"))

    def test_is_judged_by_its_own_name(self, bench: Bench) -> None:
        bench.take(changed("version = 3", "version = 40"))
        bench.take(changed("fleet north", "fleet south"))

    def test_that_was_refused_is_not_remembered(self, bench: Bench) -> None:
        bench.issue(changed("geohash 5", "geohash 50", changed("version = 3", "version = 9")))
        bench.memory.remember(bench.choice())
        bench.take(WHOLE)

    def test_with_an_end_says_when_it_must_be_chosen_anew(self, bench: Bench) -> None:
        end = NOW + timedelta(days=1)
        bench.issue(f"{HEAD}expires = {end.isoformat()}\n")
        choice = bench.choice()
        assert choice.expires_ns == int(end.timestamp()) * 10**9
        bench.now = end - timedelta(seconds=1)
        assert bench.choice().complaint is None
        bench.now = end
        assert bench.choice().complaint is not None

    def test_is_in_force_from_its_beginning_on(self, bench: Bench) -> None:
        bench.issue(f"{HEAD}issued = {NOW.isoformat()}\n")
        assert bench.choice().complaint is None
        bench.now = NOW - timedelta(seconds=1)
        assert bench.choice().complaint is not None

    def test_with_an_end_survives_a_time_past_all_calendars(self, bench: Bench) -> None:
        bench.issue(f"{HEAD}expires = {(NOW + timedelta(days=1)).isoformat()}\n")
        bench.memory = ShortMemory(latest_ns=10**30)
        assert "it was out of all calendars before" in bench.choice().why

    def test_without_an_end_needs_no_clock(self, bench: Bench) -> None:
        bench.issue()
        bench.clock_trusted = False
        bench.memory = ShortMemory(latest_ns=10**19)
        assert bench.choice().complaint is None

    def test_with_an_end_bears_a_clock_that_is_a_little_slow(self, bench: Bench) -> None:
        bench.issue(f"{HEAD}expires = {(NOW + timedelta(days=1)).isoformat()}\n")
        for late_s, taken in ((60, True), (61, False)):
            bench.memory = ShortMemory(latest_ns=(int(NOW.timestamp()) + late_s) * 10**9)
            assert (bench.choice().complaint is None) is taken


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 500 + "..."),
        ("one\nline\x1b[2J", "one line [2J"),
    ],
)
def test_a_complaint_is_told_in_one_line_of_bounded_length(complaint: str, said: str) -> None:
    choice = in_place_of_refused(PolicyError(complaint))
    assert choice.signature == f"refused: {said}"
    assert choice.why == f"{said}; 'strict' is in force in its place"


def test_times_are_shown_to_the_second() -> None:
    assert shown(int(NOW.timestamp()) * 10**9 + 999_999_999) == "2026-09-01T00:00:00+00:00"
    assert shown(10**30) == "out of all calendars"
    assert unix_ns(NOW + timedelta(microseconds=1)) == int(NOW.timestamp()) * 10**9 + 1_000


def test_what_is_parsed_is_what_was_signed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever swaps the file between two readings gains nothing: there is one."""
    bench.issue()
    read: list[Path] = []

    def reading(path: Path, most_bytes: int) -> bytes:
        content = read_guarded(path, most_bytes)
        read.append(path)
        written(bench.folder, "swapped")
        return content

    monkeypatch.setattr("edge.policy.policy_choice.read_guarded", reading)
    assert bench.choice().policy.name == "fleet north"
    assert read == [bench.file, bench.signature, bench.key]


def test_a_file_that_was_swapped_for_a_pipe_after_it_was_looked_at_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.issue()
    state = bench.file.lstat()
    bench.file.unlink()
    os.mkfifo(bench.file)
    monkeypatch.setattr(Path, "lstat", lambda _: state)
    with pytest.raises(PolicyError, match="is a pipe"):
        read_guarded(bench.file, 1_000_000)


def test_a_memory_that_cannot_be_read_leaves_the_strictest_in_force(bench: Bench) -> None:
    class Lost(ShortMemory):
        def newest(self, name: str) -> SeenVersion | None:
            raise JournalError(f"nothing is known of {name}")

    bench.issue()
    bench.memory = Lost()
    choice = bench.choice()
    assert choice.policy is profile("strict")
    assert "cannot be told from an older one" in choice.why


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=300), st.sampled_from(["file", "signature", "key"]))
def test_no_bytes_anywhere_raise(bench: Bench, content: bytes, where: str) -> None:
    bench.issue()
    written(bench.folder, ISSUER.public.pem, bench.key.name)
    written(bench.folder, content, getattr(bench, where).name)
    assert bench.choice().policy is profile("strict")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.data())
def test_no_bit_of_the_signature_may_be_another(bench: Bench, data: st.DataObject) -> None:
    bench.issue()
    signature = bytearray(bench.signature.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(signature) - 1))
    signature[bit // 8] ^= 1 << bit % 8
    written(bench.folder, bytes(signature), bench.signature.name)
    assert bench.choice().policy is profile("strict")


def test_the_key_that_keys_make_writes_is_one_to_check_with(bench: Bench) -> None:
    key = SigningKey.generate()
    bench.key = write_signing_key(bench.folder / "made.pem", key)
    bench.issue(key=key)
    assert bench.choice().signature == "good"


def good(version: int, digest: bytes = b"d" * 32) -> PolicyChoice:
    policy = replace(profile("strict"), version=version)
    return PolicyChoice(policy, "good", "signed", seen=SeenVersion(version, digest), key_id=b"k" * 8)


class MemoryContract:
    """What each memory of versions must do."""

    @pytest.fixture
    def memory(self) -> VersionMemory:
        raise NotImplementedError

    def test_knows_nothing_at_first(self, memory: VersionMemory) -> None:
        assert memory.newest("strict") is None
        assert memory.latest_ns() == 0

    def test_keeps_the_newest(self, memory: VersionMemory) -> None:
        for version in (2, 5, 3):
            memory.remember(good(version, bytes([version]) * 32))
        assert memory.newest("strict") == SeenVersion(5, b"\x05" * 32)
        assert memory.newest("fleet") is None

    def test_keeps_the_first_of_a_version(self, memory: VersionMemory) -> None:
        memory.remember(good(2, b"a" * 32))
        memory.remember(good(2, b"b" * 32))
        assert memory.newest("strict") == SeenVersion(2, b"a" * 32)

    def test_a_profile_leaves_no_trace(self, memory: VersionMemory) -> None:
        built_in = PolicyChoice(profile("strict"), "built in", "no policy is configured")
        memory.remember(built_in)
        assert memory.newest("strict") is None
        memory.remember(good(2))
        memory.remember(built_in)
        assert memory.newest("strict") == SeenVersion(2, b"d" * 32)


class TestShortMemory(MemoryContract):
    @pytest.fixture
    def memory(self) -> VersionMemory:
        return ShortMemory()

    def test_knows_what_it_was_told_at_first(self) -> None:
        told = {"strict": SeenVersion(7, b"d" * 32)}
        memory = ShortMemory(told, latest_ns=5)
        memory.remember(good(8))
        assert memory.newest("strict") == SeenVersion(8, b"d" * 32)
        assert told == {"strict": SeenVersion(7, b"d" * 32)}
        assert ShortMemory(told).newest("strict") == told["strict"]
        assert memory.latest_ns() == 5


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "journal").start()


def versions(rig: Rig) -> JournalVersions:
    return JournalVersions(rig.open, rig.clock)


class TestJournalVersions(MemoryContract):
    @pytest.fixture
    def memory(self, rig: Rig) -> VersionMemory:
        return versions(rig)

    def test_outlasts_the_run(self, rig: Rig) -> None:
        versions(rig).remember(good(7))
        rig.stop()
        rig.start()
        assert versions(rig).newest("strict") == SeenVersion(7, b"d" * 32)

    @pytest.mark.parametrize("lost", ["DELETE FROM total WHERE hop = 'policy in force'", "DELETE FROM block"])
    def test_either_of_its_two_places_is_enough(self, rig: Rig, lost: str) -> None:
        versions(rig).remember(good(7))
        rig.open.journal.commit()
        rig.open.journal.run_with_connection(lambda connection: connection.execute(lost).fetchall())
        assert versions(rig).newest("strict") == SeenVersion(7, b"d" * 32)

    def test_a_sum_that_was_tampered_with_lets_nothing_older_in(self, rig: Rig) -> None:
        versions(rig).remember(good(7))
        rig.open.journal.commit()
        statement = "UPDATE total SET count = 1 WHERE hop = 'policy in force'"
        rig.open.journal.run_with_connection(lambda connection: connection.execute(statement).fetchall())
        assert versions(rig).newest("strict") == SeenVersion(7, b"d" * 32)

    def test_a_damaged_block_hides_nothing(self, rig: Rig) -> None:
        versions(rig).remember(good(7))
        rig.open.journal.commit()
        statement = "UPDATE block SET ciphertext = zeroblob(length(ciphertext))"
        rig.open.journal.run_with_connection(lambda connection: connection.execute(statement).fetchall())
        assert versions(rig).newest("strict") == SeenVersion(7, b"d" * 32)

    def test_can_be_told_without_the_data_keys(self, rig: Rig) -> None:
        versions(rig).remember(good(7))
        versions(rig).remember(good(8, b"e" * 32))
        rig.open.journal.commit()
        found = rig.open.journal.run_with_connection(lambda connection: seen_versions(connection, None))
        assert found == {"strict": SeenVersion(8, b"e" * 32)}

    def test_knows_the_time_that_the_bounds_believed(self, rig: Rig) -> None:
        assert versions(rig).latest_ns() == 0
        bounds = Bounds(BoundsSettings(), destinations=(), clock=rig.clock, boot=rig.boot, space=endless)
        rig.open.journal.run_with_connection(bounds.step)
        assert versions(rig).latest_ns() == rig.clock.wall_ns()

    def test_each_start_leaves_a_block_and_only_a_new_version_a_locked_one(self, rig: Rig) -> None:
        for choice in (good(7), good(7), PolicyChoice(profile("gdpr"), "built in", ""), good(8)):
            versions(rig).remember(choice)
            rig.open.journal.commit()
        kind = int(BlockKind.CONFIGURATION)
        found = rig.rows("SELECT locked FROM block WHERE kind = ? ORDER BY number", kind)
        assert found == [(1,), (0,), (0,), (1,)]
        rig.stop()
        rig.start()
        assert rig.verify(contents=True).holds

    def test_a_policy_once_in_force_bars_an_older_one_after_a_restart(self, rig: Rig, bench: Bench) -> None:
        def choose() -> PolicyChoice:
            section = PolicySection(file=bench.file, key=bench.key)
            return choose_policy(section, versions(rig), wall_ns=NS_PER_DAY, clock_trusted=True)

        bench.issue(changed("version = 3", "version = 4"))
        versions(rig).remember(choose())
        rig.stop()
        rig.start()
        bench.issue()
        assert "is version 3 of 'fleet north', and 4 was in force before" in choose().why
        bench.issue(changed("version = 3", "version = 5"))
        assert choose().complaint is None


def test_a_journal_that_is_closed_still_lets_the_choice_be_made(rig: Rig, bench: Bench) -> None:
    memory = versions(rig)
    rig.stop()
    bench.issue()
    section = PolicySection(file=bench.file, key=bench.key)
    choice = choose_policy(section, memory, wall_ns=NS_PER_DAY, clock_trusted=True)
    assert choice.policy is profile("strict")
