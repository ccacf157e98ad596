"""`Section`: what all tables of the configuration have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if info.context else None
    return path if folder is None else Path(folder) / path.expanduser()


ConfigPath = Annotated[Path, AfterValidator(_beside_config)]
"""A path; a relative one is taken from the folder of the configuration file."""


class Section(BaseModel):
    """A table: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
