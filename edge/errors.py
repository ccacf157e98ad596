"""The errors that nevgate raises, one small tree: each says what happened, where, and what to do."""

from __future__ import annotations


class NevgateError(Exception):
    """Base of every error that nevgate raises on purpose.

    Attributes:
        what: what happened, one sentence without a full stop.
        where: the file and line, bus, key or peer at which it happened; empty when there is only one place.
        todo: what the reader can do about it; empty when nothing helps.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where, todo)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f". {self.todo}" if self.todo else ""
        return f"{place}{self.what}{advice}"


class ConfigError(NevgateError):
    """The configuration file cannot be used as it stands."""

    exit_code = 2


class SourceError(NevgateError):
    """A bus, a recording or a sensor cannot be opened or read on."""


class DatabaseError(NevgateError):
    """A DBC, KCD, ARXML or SYM file cannot be loaded, or lacks what was asked of it."""


class PolicyError(NevgateError):
    """A class file or a policy contradicts itself or its database."""


class ConsentError(PolicyError):
    """A consent cannot be given, refused or withdrawn as asked."""


class CatalogueError(NevgateError):
    """An item is unknown, or a value does not fit the item that is to hold it."""


class BindingError(CatalogueError):
    """A binding names a signal, unit, range or item that does not fit."""


class WireError(NevgateError):
    """Bytes from outside are no valid message: malformed, truncated, oversized, or wrongly signed."""


class KeyFileError(NevgateError):
    """A key or certificate cannot be read, made or trusted."""


class UplinkError(NevgateError):
    """The far side cannot be reached, or refuses the session."""


class JournalError(NevgateError):
    """The journal cannot be opened, read or written as asked."""


class ControlError(NevgateError):
    """The control socket cannot be opened or reached, or a request over it is not carried out."""


class ReportError(NevgateError):
    """A report cannot be made, or does not hold."""


class FirmwareError(NevgateError):
    """The program of a board cannot be made, put on it, or does not hold."""


class VisionError(NevgateError):
    """A camera, a model, a detector or an encoder cannot do its part; what it was to judge is not kept."""
