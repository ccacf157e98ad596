"""The tables of the configuration about the policy: which one, and who may change consents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.section import ConfigPath, Section


class PolicySection(Section):
    """What may be collected: a built-in profile, or a signed policy file."""

    profile: Literal["strict", "gbt44464", "gdpr"] | None = Field(
        default=None, description="a built-in profile; without one and without a file, strict"
    )
    file: ConfigPath | None = Field(default=None, description="a policy file, which names its profile itself")
    signature: ConfigPath | None = Field(default=None, description="without one, <file>.sig")
    key: ConfigPath | None = Field(
        default=None,
        description="public key of whoever may issue policies, which the signature is checked with",
    )

    @model_validator(mode="after")
    def _file_or_profile(self) -> Self:
        if self.file is not None and self.profile is not None:
            raise ValueError("a policy file names its profile itself; leave 'profile' or 'file' away")
        if self.file is not None and self.key is None:
            raise ValueError(
                "a policy file is only taken with a signature; set key to its issuer's public key"
            )
        return self

    @property
    def signature_file(self) -> Path | None:
        """The file of the signature; None where there is no policy file."""
        if self.file is None or self.signature is not None:
            return self.signature
        return self.file.with_name(self.file.name + ".sig")


class ControlSection(Section):
    """The local socket by which `nevgate consent` and `nevgate page` speak with a running gateway."""

    socket: ConfigPath | None = Field(
        default=None, description="without one, control.sock in the journal's folder; none without a journal"
    )
    mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = Field(
        default="0600", description="who may use it, as chmod writes it"
    )
