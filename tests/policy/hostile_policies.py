"""Hostile policies, each laid out in a folder, and what is to be heard of it (docs/policy.md)."""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.config.policy import PolicySection
from edge.policy.policy_choice import PolicyChoice, ShortMemory, choose_policy
from edge.policy.policy_signature import sign_policy
from edge.wire.cose import Role, Signer
from edge.wire.keys import Algorithm, SigningKey
from edge.wire.strict_cbor import write_cbor
from tests.policy.policy_text import AREA, DESTINATION, HEAD, RULE, WHOLE, changed, written

ISSUER = SigningKey.seeded(b"issuer of the tests' policies")
STRANGER = SigningKey.seeded(b"somebody else")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
A_STRANGER = 4711


class Bench:
    """A folder with a policy, its signature and the issuer's key; and what was in force before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = ShortMemory()
        self.now = NOW
        self.clock_trusted = True
        self.key = written(folder, ISSUER.public.pem, "issuer.pub.pem")
        self.file = folder / "policy.toml"
        self.signature = folder / "policy.toml.sig"

    def issue(self, text: str | bytes = WHOLE, key: SigningKey = ISSUER) -> None:
        """Write a policy and its signature."""
        written(self.folder, text)
        written(self.folder, sign_policy(self.file.read_bytes(), key), self.signature.name)

    def take(self, text: str) -> None:
        """Have had a policy in force."""
        self.issue(text)
        before = self.choice()
        assert before.complaint is None, before.why
        self.memory.remember(before)

    def choice(self) -> PolicyChoice:
        return choose_policy(
            PolicySection(file=self.file, key=self.key),
            self.memory,
            wall_ns=int(self.now.timestamp()) * 10**9,
            clock_trusted=self.clock_trusted,
        )


@dataclass(frozen=True)
class Hostile:
    """How a hostile policy is laid out, and what is said of it."""

    lay_out: Callable[[Bench], None]
    said: str


def _rule(text: str) -> Callable[[Bench], None]:
    return lambda bench: bench.issue(f"{HEAD}{DESTINATION}\n[[rule]]\n{text}\n")


def _issued(text: str | bytes) -> Callable[[Bench], None]:
    return lambda bench: bench.issue(text)


def _changed(old: str, new: str) -> Callable[[Bench], None]:
    return _issued(changed(old, new))


def _unsigned(bench: Bench) -> None:
    written(bench.folder, WHOLE)


def _of_a_stranger(bench: Bench) -> None:
    bench.issue(key=STRANGER)


def _changed_by_a_byte(bench: Bench) -> None:
    bench.issue()
    written(bench.folder, changed("longest_days = 30", "longest_days = 31"))


def _of_another_file(bench: Bench) -> None:
    bench.issue(changed("version = 3", "version = 4"))
    written(bench.folder, WHOLE)


def _message(bench: Bench) -> None:
    bench.issue()
    payload = bench.signature.read_bytes()
    written(bench.folder, Signer(ISSUER, vehicle="any", role=Role.UP).sign(payload), bench.signature.name)


def _signed_for_something_else(bench: Bench) -> None:
    bench.issue()
    digest = hashlib.sha256(bench.file.read_bytes()).digest()
    signer = Signer(ISSUER, vehicle="any", role=Role.POLICY)
    written(bench.folder, signer.sign(write_cbor({1: "class file", 2: digest})), bench.signature.name)


def _no_signature_at_all(bench: Bench) -> None:
    bench.issue()
    written(bench.folder, b"trust me", bench.signature.name)


def _downgraded(bench: Bench) -> None:
    bench.take(changed("version = 3", "version = 4"))
    bench.issue()


def _same_version_again(bench: Bench) -> None:
    bench.take(WHOLE)
    bench.issue(changed("longest_days = 30", "longest_days = 365"))


def _times(issued: datetime, expires: datetime) -> str:
    return HEAD + f"issued = {issued.isoformat()}\nexpires = {expires.isoformat()}\n"


def _ended(bench: Bench) -> None:
    bench.issue(_times(NOW - timedelta(days=30), NOW))


def _not_begun(bench: Bench) -> None:
    bench.issue(_times(NOW + timedelta(seconds=1), NOW + timedelta(days=30)))


def _clock_set_back(bench: Bench) -> None:
    bench.issue(_times(NOW - timedelta(days=60), NOW - timedelta(days=30)))
    bench.now = NOW - timedelta(days=45)
    bench.memory = ShortMemory(latest_ns=int(NOW.timestamp()) * 10**9)


def _begun_at_an_unknown_time(bench: Bench) -> None:
    bench.issue(HEAD + f"issued = {(NOW - timedelta(days=30)).isoformat()}\n")
    bench.clock_trusted = False


def _at_an_unknown_time(bench: Bench) -> None:
    bench.issue(_times(NOW - timedelta(days=30), NOW + timedelta(days=30)))
    bench.clock_trusted = False


def _clock_before_its_time(bench: Bench) -> None:
    bench.issue(HEAD + f"issued = {(NOW - timedelta(days=30)).isoformat()}\n")
    bench.now = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)


def _symlink(bench: Bench) -> None:
    bench.issue()
    bench.file.rename(bench.folder / "elsewhere.toml")
    bench.file.symlink_to("elsewhere.toml")


def _symlinked_signature(bench: Bench) -> None:
    bench.issue()
    bench.signature.rename(bench.folder / "elsewhere.sig")
    bench.signature.symlink_to("elsewhere.sig")


def _pipe(bench: Bench) -> None:
    bench.issue()
    bench.file.unlink()
    os.mkfifo(bench.file, 0o644)


def _device(bench: Bench) -> None:
    bench.file = Path("/dev/zero")


def _folder(bench: Bench) -> None:
    bench.issue()
    bench.file.unlink()
    bench.file.mkdir()


def _for_everybody(bench: Bench) -> None:
    bench.issue()
    bench.file.chmod(0o646)


def _key_for_everybody(bench: Bench) -> None:
    bench.issue()
    bench.key.chmod(0o666)


def _somebody_elses(bench: Bench) -> None:
    bench.issue()
    os.chown(bench.file, A_STRANGER, -1)


def _no_key(bench: Bench) -> None:
    bench.issue()
    written(bench.folder, b"-----BEGIN PUBLIC KEY-----\n", bench.key.name)


def _missing(bench: Bench) -> None:
    bench.issue()
    shutil.move(bench.file, bench.folder / "away.toml")


CONSENT = "class = 'cabin'\npurposes = ['recording']\nbasis = 'consent'\n"
CROSSED = "[[116.30, 39.90], [116.40, 39.95], [116.40, 39.90], [116.30, 39.95]]"
CORNERS = "[[116.30, 39.90], [116.40, 39.90], [116.40, 39.95], [116.30, 39.95]]"

HOSTILE: Mapping[str, Hostile] = {
    "missing": Hostile(_missing, "there is no such file"),
    "unsigned": Hostile(_unsigned, "is not signed: there is no "),
    "signed by a stranger": Hostile(
        _of_a_stranger, f"is no signature of a policy by the key {ISSUER.public.key_id.hex()}"
    ),
    "changed after it was signed": Hostile(_changed_by_a_byte, "signs another file than this one"),
    "with the signature of another file": Hostile(_of_another_file, "signs another file than this one"),
    "with a message in place of the signature": Hostile(_message, "is no signature of a policy by the key"),
    "signed as something else": Hostile(_signed_for_something_else, "signs 'class file', no policy"),
    "with no signature in the signature's file": Hostile(_no_signature_at_all, "is no signature: "),
    "with a broken issuer's key": Hostile(_no_key, "no public key in PEM"),
    "older than one before": Hostile(
        _downgraded,
        "is version 3 of 'fleet north', and 4 was in force before. Issue what it says as version 5",
    ),
    "another under the same version": Hostile(
        _same_version_again,
        "is version 3 of 'fleet north', as one that was in force before, but with another",
    ),
    "ended": Hostile(_ended, "ended 2026-09-01T00:00:00+00:00"),
    "not begun": Hostile(
        _not_begun, "begins 2026-09-01T00:00:01+00:00, and by the clock it is 2026-09-01T00:00"
    ),
    "ended, with the clock set back": Hostile(
        _clock_set_back,
        "the clock cannot be trusted to tell which it is: it was 2026-09-01T00:00:00+00:00 before",
    ),
    "with a beginning, and a clock that knows none": Hostile(
        _begun_at_an_unknown_time, "the clock cannot be trusted to tell which it is"
    ),
    "for a time, with a clock that knows none": Hostile(
        _at_an_unknown_time, "the clock cannot be trusted to tell which it is: its time is not known for sure"
    ),
    "begun, with a clock that was never set": Hostile(
        _clock_before_its_time, "by the clock it is 1970-01-01T00:02"
    ),
    "a symbolic link": Hostile(_symlink, "policy.toml: is a symbolic link, not a file"),
    "signature is a symbolic link": Hostile(
        _symlinked_signature, "policy.toml.sig: is a symbolic link, not a file"
    ),
    "a pipe": Hostile(_pipe, "is a pipe, not a file"),
    "a device": Hostile(_device, "/dev/zero: is a device, not a file"),
    "a folder": Hostile(_folder, "is a folder, not a file"),
    "for everybody to write": Hostile(_for_everybody, "may be written by everybody (mode 0646)"),
    "key for everybody to write": Hostile(_key_for_everybody, "may be written by everybody (mode 0666)"),
    "somebody else's": Hostile(_somebody_elses, f"belongs to user {A_STRANGER}"),
    "huge": Hostile(_issued(WHOLE + "#" * 1_000_000), "has more than 1000000 bytes"),
    "not UTF-8": Hostile(_issued(WHOLE.encode() + b"# \xff\n"), "is no text in UTF-8"),
    "no TOML": Hostile(_issued("<policy/>"), "is not valid TOML"),
    "nested without end": Hostile(_issued(f"{WHOLE}x = {'[' * 1_900}"), "is nested too deeply"),
    "a key of thousands of parts": Hostile(_issued(f"{'a.' * 20_000}a = 1\n{WHOLE}"), "bytes on one line"),
    "unknown key": Hostile(_changed("clause =", "allow_all ="), "unknown key 'rule[0].allow_all'"),
    "rule twice": Hostile(_issued(WHOLE + RULE), "has a rule already, at line 7; keep one of the two"),
    "rule and deny": Hostile(
        _issued(f"{WHOLE}[[deny]]\nclass = 'position'\npurposes = ['service']\n"),
        "is denied here and has a [[rule]] as well",
    ),
    "consent without a term": Hostile(_rule(CONSENT), "'longest_days': is missing"),
    "consent for ever, in days": Hostile(_rule(f"{CONSENT}longest_days = 1e9"), "are as good as for ever"),
    "consent for ever, without end": Hostile(
        _rule(f"{CONSENT}longest_days = inf"), "never 'always' or 'permanent'"
    ),
    "consent for no number of days": Hostile(
        _rule(f"{CONSENT}longest_days = nan"), "never 'always' or 'permanent'"
    ),
    "erasure some day": Hostile(
        _changed("erase_within_s = 3600", "erase_within_s = 1e12"), "longer than ten working days"
    ),
    "cabin leaves by law": Hostile(
        _rule("class='cabin'\npurposes=['regulated']\nbasis='law'\nclause='x'\njurisdictions=['CN']"),
        "cabin data leave the vehicle by consent alone (GB/T 44464-2024, 5.1.3)",
    ),
    "position to the maker by law": Hostile(
        _rule("class='position'\npurposes=['service']\nbasis='law'\nclause='x'\njurisdictions=['CN']"),
        "no rule obliges anybody to collect class position for purpose service",
    ),
    "raw frames said to be rounded": Hostile(
        _rule(
            "class='position'\npurposes=['recording']\nbasis='consent'\nlongest_days=1\nprecision='1000 m'"
        ),
        "raw frames, which cannot be rounded",
    ),
    "data abroad": Hostile(
        _changed('jurisdiction = "CN"', 'jurisdiction = "US"'), "outside of what the profile"
    ),
    "destination unknown": Hostile(_changed(DESTINATION, ""), "'fleet' is no destination of this policy"),
    "polygon that crosses itself": Hostile(_changed(CORNERS, CROSSED), "crosses itself"),
    "polygon of two corners": Hostile(
        _changed(CORNERS, "[[116.30, 39.90], [116.40, 39.95]]"), "has 2 corners"
    ),
    "polygon of latitude and longitude": Hostile(
        _issued(HEAD + AREA.replace("[116.30, 39.90]", "[39.90, 116.30]")), "corner 1 is nowhere on earth"
    ),
    "in the name of a profile": Hostile(
        _changed("fleet north", "strict"), "is the name of a built-in profile"
    ),
}

ES256_ISSUER = SigningKey.seeded(b"issuer of the tests' policies", Algorithm.ES256)
