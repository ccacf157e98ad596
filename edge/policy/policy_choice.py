"""Chooses the policy that is in force: what the configuration names if it holds, otherwise the strictest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from edge.clock import NS_PER_S
from edge.config.policy import PolicySection
from edge.errors import KeyFileError, NevgateError, PolicyError
from edge.policy.guarded_file import read_guarded
from edge.policy.policy_signature import LARGEST_BYTES as LARGEST_SIGNATURE
from edge.policy.policy_signature import check_signature
from edge.policy.policyfile import LARGEST_BYTES, STRICTEST, PolicyFile, profile, read_policy
from edge.policy.rules import Policy
from edge.wire.keys import VerifyingKey

BUILT_IN = "built in"
GOOD = "good"
REFUSED = "refused"

_LARGEST_KEY = 16_384
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_NS = 60 * NS_PER_S
"""A clock that is so much before the latest time known was set back."""

_LONGEST_REASON = 500
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """The newest policy of a name that was ever in force.

    Attributes:
        version: as its file counts.
        digest: SHA-256 over its file, 32 bytes.
    """

    version: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """Which policy is in force, and why.

    Attributes:
        policy: the policy in force.
        signature: ``built in``, ``good``, or ``refused: `` and why.
        why: one line for a person.
        complaint: why the policy that the configuration names is not in force; None if it is.
        seen: what is to be remembered of it; None for a built-in profile.
        key_id: of the key that signed it, 8 bytes; empty for a built-in profile.
        expires_ns: Unix time in nanoseconds from which on it must be chosen anew; None for no end.
    """

    policy: Policy
    signature: str
    why: str
    complaint: PolicyError | None = None
    seen: SeenVersion | None = None
    key_id: bytes = b""
    expires_ns: int | None = None


class VersionMemory(Protocol):
    """Remembers the newest version of each policy, so that an older one is not taken again, and the time."""

    def newest(self, name: str) -> SeenVersion | None:
        """The newest that was in force under a name; None for none.

        Raises:
            NevgateError: it cannot be told.
        """

    def latest_ns(self) -> int:
        """The latest wall time that was ever believed, Unix time in nanoseconds; 0 for none.

        Raises:
            NevgateError: it cannot be told.
        """

    def remember(self, choice: PolicyChoice) -> None:
        """Take note of what came into force; an older version than one remembered changes nothing."""


class ShortMemory(VersionMemory):
    """Remembers for one run, where there is no journal.

    Args:
        seen: what it knows at first, by name.
        latest_ns: the latest wall time that was ever believed.
    """

    def __init__(self, seen: Mapping[str, SeenVersion] = MappingProxyType({}), latest_ns: int = 0) -> None:
        self._seen = dict(seen)
        self._latest_ns = latest_ns

    def newest(self, name: str) -> SeenVersion | None:
        """See `VersionMemory.newest`."""
        return self._seen.get(name)

    def latest_ns(self) -> int:
        """See `VersionMemory.latest_ns`."""
        return self._latest_ns

    def remember(self, choice: PolicyChoice) -> None:
        """See `VersionMemory.remember`."""
        if choice.seen is not None:
            self._seen[choice.policy.name] = newer(self.newest(choice.policy.name), choice.seen)


def newer(one: SeenVersion | None, other: SeenVersion) -> SeenVersion:
    """Whichever counts more; the first of two that count the same."""
    return other if one is None or other.version > one.version else one


def choose_policy(
    section: PolicySection, memory: VersionMemory, *, wall_ns: int, clock_trusted: bool
) -> PolicyChoice:
    """Choose the policy in force; whatever is wrong with a policy file leaves the strictest profile in force.

    Nothing is remembered by this: whoever brings the choice into force calls `VersionMemory.remember`.

    Args:
        section: what the configuration says.
        memory: versions and times seen before.
        wall_ns: Unix time in nanoseconds, now.
        clock_trusted: whether that can be relied on; if not, or if it was set back, a policy that ends counts
            as ended.
    """
    if section.file is None:
        name = section.profile or STRICTEST
        why = (
            f"the configuration names the profile '{name}'" if section.profile else "no policy is configured"
        )
        return PolicyChoice(profile(name), BUILT_IN, why)
    try:
        found, key = _signed(section.file, section)
        try:
            newest, latest_ns = memory.newest(found.policy.name), memory.latest_ns()
        except NevgateError as error:
            raise PolicyError(
                f"cannot be told from an older one: {error}",
                where=str(section.file),
                todo="Look after the journal",
            ) from error
        _judge_version(found, section.file, newest)
        doubt = "" if clock_trusted else "its time is not known for sure"
        if wall_ns + _STEP_NS < latest_ns:
            doubt = f"it was {shown(latest_ns)} before"
        _judge_time(found, section.file, wall_ns, doubt)
    except PolicyError as error:
        return in_place_of_refused(error)
    policy = found.policy
    return PolicyChoice(
        policy,
        GOOD,
        f"{section.file} is version {policy.version}, signed by key {key.key_id.hex()}",
        seen=SeenVersion(policy.version, found.digest),
        key_id=key.key_id,
        expires_ns=None if found.expires is None else unix_ns(found.expires),
    )


def in_place_of_refused(complaint: PolicyError) -> PolicyChoice:
    """The strictest profile, in the place of a policy that cannot be in force."""
    words = _one_line(str(complaint))
    return PolicyChoice(
        profile(STRICTEST),
        f"{REFUSED}: {words}",
        f"{words}; '{STRICTEST}' is in force in its place",
        complaint=complaint,
    )


def unix_ns(moment: datetime) -> int:
    """Unix time in nanoseconds of a time with an offset."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def read_signed(file: Path, signature: Path, key: Path) -> tuple[PolicyFile, VerifyingKey]:
    """Read a policy file once, check its signature, then what the very bytes say.

    Args:
        file: the policy.
        signature: its signature.
        key: public key of whoever may issue policies.

    Raises:
        PolicyError: one of the three cannot be read or trusted, the signature does not hold, or the file is
            no policy that may be.
    """
    content = read_guarded(file, LARGEST_BYTES)
    try:
        signed = read_guarded(signature, LARGEST_SIGNATURE)
    except PolicyError as error:
        if os.path.lexists(signature):
            raise
        raise PolicyError(
            f"is not signed: there is no {signature}",
            where=str(file),
            todo=f"Sign it with 'nevgate policy sign --key issuer.key {file}'",
        ) from error
    try:
        issuer = VerifyingKey.from_pem(read_guarded(key, _LARGEST_KEY))
    except KeyFileError as error:
        raise PolicyError(error.what, where=str(key), todo=error.todo) from error
    check_signature(content, signed, issuer, where=str(signature))
    return read_policy(content, file), issuer


def _signed(file: Path, section: PolicySection) -> tuple[PolicyFile, VerifyingKey]:
    if section.key is None or section.signature_file is None:
        raise PolicyError(
            "cannot be checked without its issuer's public key", where=str(file), todo="Set [policy] key"
        )
    return read_signed(file, section.signature_file, section.key)


def _judge_version(found: PolicyFile, file: Path, newest: SeenVersion | None) -> None:
    policy = found.policy
    if newest is None:
        return
    if policy.version < newest.version:
        raise PolicyError(
            f"is version {policy.version} of '{policy.name}', and {newest.version} was in force before",
            where=str(file),
            todo=f"Issue what it says as version {newest.version + 1}",
        )
    if policy.version == newest.version and found.digest != newest.digest:
        raise PolicyError(
            f"is version {policy.version} of '{policy.name}', as one that was in force before, but with "
            "another content",
            where=str(file),
            todo=f"Issue it as version {newest.version + 1}",
        )


def _judge_time(found: PolicyFile, file: Path, wall_ns: int, doubt: str) -> None:
    if found.expires is not None and wall_ns >= unix_ns(found.expires):
        raise PolicyError(
            f"ended {found.expires.isoformat()}", where=str(file), todo="Issue its next version"
        )
    if found.issued is not None and wall_ns < unix_ns(found.issued):
        raise PolicyError(
            f"begins {found.issued.isoformat()}, and by the clock it is {shown(wall_ns)}",
            where=str(file),
            todo="It is taken from then on; if the clock is wrong, set it",
        )
    if doubt and (found.issued is not None or found.expires is not None):
        raise PolicyError(
            f"is in force for a time, and the clock cannot be trusted to tell which it is: {doubt}",
            where=str(file),
            todo="It is taken when the clock is set",
        )


def shown(wall_ns: int) -> str:
    """Unix time in nanoseconds as a person reads it, UTC."""
    try:
        return (_EPOCH + timedelta(microseconds=wall_ns // 1000)).isoformat(timespec="seconds")
    except OverflowError:
        return "out of all calendars"


def _one_line(text: str) -> str:
    line = "".join(one if one.isprintable() else " " for one in text)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."
