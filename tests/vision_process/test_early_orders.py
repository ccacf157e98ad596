from pathlib import Path

from edge.clock import VirtualClock
from edge.vision.process.early import KEPT_S, EarlyOrders
from edge.vision.process.messages import Request, Trigger
from edge.vision.process.supervising import VisionProcess
from tests.vision_process.openings import plan

LOST = "requests and triggers that no camera took"


def test_orders_are_handed_on_once_and_in_their_order() -> None:
    early = EarlyOrders()
    orders: list[Request | Trigger] = [Request(), Trigger(name="collision", t_ns=1), Request()]
    assert all(early.keep(order, 0.0) for order in orders)
    assert early.hand_on() == orders
    assert early.hand_on() == []


def test_what_waited_too_long_or_finds_no_room_is_counted() -> None:
    early = EarlyOrders()
    kept = sum(early.keep(Request(), float(at)) for at in range(100))
    assert kept == 64
    assert early.lapsed(KEPT_S + 0.5) == 1
    assert early.let_go() == 63
    assert early.let_go() == 0


def test_a_camera_that_never_opens_counts_what_it_was_asked(tmp_path: Path) -> None:
    clock = VirtualClock()
    process = VisionProcess(plan(tmp_path), clock=clock, allowed=lambda: False)
    process.start()
    assert not process.request(), "nothing allows it"
    allowed = VisionProcess(plan(tmp_path), clock=clock)
    allowed.start()
    assert allowed.request()
    allowed.close(0)
    assert [lost_of(one) for one in (process, allowed)] == [1, 1]


def lost_of(process: VisionProcess) -> int:
    return sum(hop.facts.get(LOST, 0) for hop in process.hops())
