"""`Unanswered`: what was published on the present connection and not answered by the broker yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """What one `Publish` carried.

    Attributes:
        position: of the message in the store; 0 for a status.
        sent_ns: boot-monotonic time at which it was handed to the link.
        topic: where it went.
    """

    position: int
    sent_ns: int
    topic: str


class Unanswered:
    """Publications in the order of their sending, by tokens that never come twice."""

    def __init__(self) -> None:
        self._publications: dict[int, Publication] = {}
        self._last_token = 0

    def __len__(self) -> int:
        return len(self._publications)

    def __contains__(self, token: int) -> bool:
        return token in self._publications

    def add(self, publication: Publication) -> int:
        """Await the answer to `publication`; returns its token, never 0."""
        self._last_token += 1
        self._publications[self._last_token] = publication
        return self._last_token

    def take(self, token: int) -> Publication | None:
        """The answer to `token` has come; None if none is awaited."""
        return self._publications.pop(token, None)

    def clear(self) -> None:
        """Await nothing any more: the connection is gone."""
        self._publications.clear()

    def positions(self) -> list[int]:
        """Position of each, 0 for a status, oldest first."""
        return [publication.position for publication in self._publications.values()]

    def oldest_ns(self) -> int | None:
        """When the oldest was sent; None if there is none."""
        oldest = next(iter(self._publications.values()), None)
        return None if oldest is None else oldest.sent_ns
