"""Reads the JSON of an egress test, as docs/egress.md describes it, for the report."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.egress.result import FORMAT
from edge.errors import ConfigError

LARGEST_BYTES = 64_000_000


class EgressPhase(BaseModel):
    """How a phase was captured."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    phase: str
    lasted_s: float
    basis: str
    packets: int


class EgressEvidence(BaseModel):
    """What an egress test found."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int
    test: str
    started: str
    policy: str
    home: tuple[str, ...]
    verdict: Literal["pass", "not proven", "fail"]
    reasons: tuple[str, ...]
    phases: tuple[EgressPhase, ...]
    counts: dict[str, int] = Field(default_factory=dict)

    @property
    def started_ns(self) -> int | None:
        """When it began, Unix time in nanoseconds; None where it does not say."""
        try:
            moment = datetime.fromisoformat(self.started)
        except ValueError:
            return None
        return None if moment.tzinfo is None else int(moment.timestamp() * 1e9)


def read_egress(path: Path) -> EgressEvidence:
    """Read what ``nevgate policy egress --json`` printed.

    Raises:
        ConfigError: the file cannot be read, or is none of these.
    """
    advice = "Give what 'nevgate policy egress --json' printed"
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ConfigError("is larger than any result of an egress test", where=str(path), todo=advice)
        found = EgressEvidence.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path), todo=advice) from error
    except (ValueError, ValidationError, RecursionError) as error:
        raise ConfigError("is no result of an egress test", where=str(path), todo=advice) from error
    if found.format != FORMAT:
        raise ConfigError(
            f"is a result of format {found.format}, and this nevgate knows {FORMAT}", where=str(path)
        )
    return found
