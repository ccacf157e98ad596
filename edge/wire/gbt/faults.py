"""`GbtError`: bytes that are no message of GB/T 32960.3, with the place of the first that is wrong."""

from __future__ import annotations

from edge.errors import WireError


class GbtError(WireError):
    """Bytes are no message of GB/T 32960.3, or a message cannot be written as it is.

    Attributes:
        offset: of the first byte that is wrong, from the start of what was handed in; None where there is no
            such place, as when writing.
    """

    def __init__(self, what: str, *, offset: int | None = None, todo: str = "") -> None:
        super().__init__(what, where="" if offset is None else f"byte {offset}", todo=todo)
        self.offset = offset

    def moved(self, by: int) -> GbtError:
        """The same error where what was handed in begins `by` bytes into something larger."""
        return GbtError(self.what, offset=None if self.offset is None else self.offset + by, todo=self.todo)
