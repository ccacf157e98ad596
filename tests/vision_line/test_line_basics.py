"""The line's first promises: what is found is filled, what fails does not come out."""

from edge.clock import NS_PER_S, VirtualClock
from edge.vision.line import RedactionLine
from edge.vision.memory import Memory, MemorySettings
from edge.vision.reasons import Dropped
from edge.vision.redaction import FILL
from tests.vision_line.scripted import Scripted, faces, picture


def fit(_: object) -> None:
    return None


def test_a_face_is_filled_in_the_frames_around_it() -> None:
    clock = VirtualClock(10 * NS_PER_S)
    found = [faces(), faces((20, 20, 30, 30)), faces(), faces(), faces(), faces()]
    line = RedactionLine("front", [Scripted(found)], fit, Memory(), clock=clock)
    out = [made for n in range(6) for made in line.take(picture(n, 9 + n * 0.2))] + line.finish()
    assert [made.number for made in out] == list(range(6))
    assert [bool((made.pixels[20:30, 20:30] == FILL).all()) for made in out] == [True] * 5 + [False]
    assert line.hop().balanced
    assert line.hop().left == 6


def test_a_frame_in_which_a_detector_failed_does_not_come_out() -> None:
    clock = VirtualClock(10 * NS_PER_S)
    line = RedactionLine(
        "front",
        [Scripted([faces(), MemoryError(), faces()])],
        fit,
        Memory(MemorySettings.off()),
        clock=clock,
    )
    pictures = [picture(n, 9 + n * 0.2) for n in range(3)]
    out = [made.number for one in pictures for made in line.take(one)]
    assert out == [0, 2]
    assert not pictures[1].pixels.any()
    assert line.hop().set_aside == {str(Dropped.DETECTOR): 1}
