"""`Options`: what the text of the standard leaves open, each with the choice that holds by default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import UNIT_BYTES_MAX

_LEAST_UNIT_BYTES = 8_192


class Overflow(StrEnum):
    """What is written for a value that the edition's range does not hold; it is told in either case."""

    ABNORMAL = "abnormal"
    """The code of an abnormal value."""

    LIMIT = "limit"
    """The nearest value of the range."""


class MissingList(StrEnum):
    """What is written for a list that is missing as a whole."""

    CODED = "coded"
    """Its count is the code for invalid or abnormal, and nothing follows."""

    EMPTY = "empty"
    """It has no elements: for platforms that read such a count as a number. It is told."""


class ActivationCodes(StrEnum):
    """What the second byte of the activation's result (2025, command 0x0A) means."""

    FROM_ZERO = "from zero"
    """0 activated, 1 chip already active, 2 VIN duplicate: the transcription of the standard."""

    FROM_ONE = "from one"
    """1 activated, 2 chip already active, 3 VIN duplicate: as public code has it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How records become messages and back, where the standard leaves a choice.

    Attributes:
        overflow: for values beyond an edition's range. The highest alarm level is always limited instead: an
            alarm of level 4 is one of level 3 in 2016, never an abnormal value.
        unstated_codes: whether all ones and all ones less one mean invalid and abnormal also where the row of
            the field does not say so (2016: insulation, gear; both: alarm bits, longitude, latitude), by the
            general rule of the standard. Without this such a value is written as the least one, and told.
        missing_lists: for lists that are missing as a whole.
        pedals: whether the last two bytes of the vehicle body of 2016 are the pedals (annex B), or reserved
            (chapter 7, between platforms) and all ones.
        discharge_positive: whether a positive current discharges; the standard does not state it.
        hydrogen_mass_most: the greatest raw hydrogen concentration of 2016; its source prints 50,000 mg/kg
            beside a raw range of 60,000.
        signature_covers_mark: whether the mark 0xFF before a signature (2025) is among the signed bytes.
        activation_codes: of the activation's result.
        always: information types that are written even if the record has none of their items.
        unit_bytes: the longest data unit that a record fills; the rest of 65,531 is room for a signature and
            for the padding of ciphers.
    """

    overflow: Overflow = Overflow.ABNORMAL
    unstated_codes: bool = True
    missing_lists: MissingList = MissingList.CODED
    pedals: bool = True
    discharge_positive: bool = True
    hydrogen_mass_most: int = 60_000
    signature_covers_mark: bool = False
    activation_codes: ActivationCodes = ActivationCodes.FROM_ZERO
    always: frozenset[int] = frozenset()
    unit_bytes: int = 64_000

    def __post_init__(self) -> None:
        if not _LEAST_UNIT_BYTES <= self.unit_bytes <= UNIT_BYTES_MAX:
            raise GbtError(f"unit_bytes is from {_LEAST_UNIT_BYTES:,} to {UNIT_BYTES_MAX:,}")


DEFAULT_OPTIONS = Options()
