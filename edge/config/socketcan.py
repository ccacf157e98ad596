"""Options of a bus on SocketCAN: how its frames are taken from the kernel (docs/socketcan.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from edge.config.section import Section

SOCKETCAN = "socketcan"
PYTHON_CAN = "python-can"
REQUIRED: Final = "required"


class SocketCanOptions(Section):
    """What the table ``options`` of a bus with ``interface = "socketcan"`` may hold."""

    way: Literal["ring", "raw", "python-can"] | None = Field(
        default=None, description="take frames this way or not at all; without it, the best that there is"
    )
    listen_only: Literal["required", "any"] = Field(
        default=REQUIRED,
        description="whether an interface that is not listen-only is an alarm: 'any' is for one that is "
        "known to take part in its bus",
    )
    any_link: bool = Field(
        default=False,
        description="read a ring on a link that is none of CAN, for a bench on virtual Ethernet",
    )
    hardware_stamps: bool = Field(
        default=False, description="the controller's stamps, where its driver has them"
    )
    ring_bytes: Annotated[int, Field(ge=1 << 18, le=1 << 30)] | None = Field(
        default=None, description="memory of the ring in the kernel, 8 MB without it"
    )
    block_timeout_ms: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="for how long the ring gathers frames at most, 4 without it"
    )
    buffer_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)] | None = Field(
        default=None, description="receive buffer of a raw socket, 32 MB without it"
    )

    @classmethod
    def of(cls, options: Mapping[str, object]) -> tuple[SocketCanOptions, dict[str, object]]:
        """Read a table of options.

        Returns:
            The options, and what is left for python-can, which only it may have.

        Raises:
            ValidationError: of pydantic; a key is unknown or its value wrong.
        """
        if options.get("way") != PYTHON_CAN:
            return cls.model_validate(dict(options)), {}
        own = {key: value for key, value in options.items() if key in cls.model_fields}
        return cls.model_validate(own), {key: value for key, value in options.items() if key not in own}
