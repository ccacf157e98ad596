"""`nevgate vision`: how well faces and plates are found, what that costs, and pictures on request."""

from __future__ import annotations

import click

from edge.cli.program import LazyGroup


@click.command(
    cls=LazyGroup,
    members={
        "test": "Measure what is hidden in the annotated pictures of a folder.",
        "take": "Have a camera of the running gateway keep its next picture.",
        "bench": "Measure the processor time of a frame, step by step.",
    },
    package="edge.cli.vision_",
)
def command() -> None:
    """Measure the detection and redaction of faces and plates; ask for a picture.

    \b
    Examples:
      nevgate vision test /data/pictures --report measured.html
      nevgate vision bench --size 1920x1080
    """
