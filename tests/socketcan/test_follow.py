"""What happens to an interface is told once, with its words, out of what the kernel says."""

from edge.bus.socketcan.bus_state import ControllerState
from edge.bus.socketcan.follow import LinkChange, LinkEvent, LinkFollower
from edge.bus.socketcan.netlink import LinkTold, told
from tests.socketcan.kernel_link import LISTEN_ONLY, UP, deleted_link, new_link

E = LinkEvent


def hear(follower: LinkFollower, *datagrams: bytes) -> list[LinkChange]:
    changes: list[LinkChange] = []
    for datagram in datagrams:
        for heard in told(datagram):
            assert isinstance(heard, LinkTold)
            changes += follower.hear(heard)
    return changes


def events(changes: list[LinkChange]) -> list[tuple[LinkEvent, int]]:
    return [(change.event, change.count) for change in changes]


def following(*datagrams: bytes, interface: str = "can0") -> LinkFollower:
    follower = LinkFollower(interface)
    hear(follower, *datagrams or (new_link(),))
    return follower


def test_what_is_there_at_the_start_is_no_event() -> None:
    follower = LinkFollower("can0")
    assert hear(follower, new_link(index=2, name="can1"), new_link(index=3), new_link(index=3)) == []
    assert follower.state is not None
    assert (follower.state.index, follower.state.bitrate, follower.state.listen_only) == (3, 500_000, True)


def test_what_is_wrong_at_the_start_is_told() -> None:
    changes = hear(LinkFollower("can0"), new_link(mode=0, state=3))
    assert events(changes) == [(E.BUS_OFF, 1), (E.NOT_LISTEN_ONLY, 1)]
    assert all(change.trouble for change in changes)


def test_down_and_up_again() -> None:
    follower = following()
    down, up = hear(follower, new_link(flags=0), new_link(flags=0), new_link(flags=UP))
    assert (down.event, down.trouble, down.words) == (E.DOWN, True, "can0 is down")
    assert (up.event, up.trouble) == (E.UP, False)
    assert up.words == "can0 is up: can, 500000 bit/s, listen-only, controller active"


def test_a_bitrate_changed_while_down_is_told() -> None:
    follower = following()
    changes = hear(follower, new_link(flags=0), new_link(flags=UP, bitrate=250_000))
    assert events(changes) == [(E.DOWN, 1), (E.BITRATE, 1), (E.UP, 1)]
    assert changes[1].words == "can0 has 250000 bit/s now, before 500000 bit/s"
    changes = hear(follower, new_link(bitrate=250_000, data_bitrate=2_000_000))
    assert events(changes) == [(E.BITRATE, 1)]


def test_a_rename_is_followed_and_told() -> None:
    follower = following()
    changes = hear(follower, new_link(name="canpt", flags=0), new_link(index=4, name="can0"))
    assert events(changes) == [(E.RENAMED, 1), (E.DOWN, 1)]
    assert changes[0].words == "can0 is called canpt now"
    assert follower.state is not None
    assert follower.state.name == "canpt"


def test_an_interface_is_known_by_an_alternative_name() -> None:
    follower = LinkFollower("the-powertrain-bus")
    hear(follower, new_link(index=2), new_link(index=3, name="can1", other_names=("the-powertrain-bus",)))
    assert follower.state is not None
    assert follower.state.name == "can1"


def test_unplugged_and_back_with_another_bitrate() -> None:
    follower = following()
    gone = hear(follower, new_link(flags=0), deleted_link(), new_link(index=9, name="can7"))
    assert events(gone) == [(E.DOWN, 1), (E.GONE, 1)]
    assert follower.state is None
    back = hear(
        follower,
        new_link(index=4, flags=0, bitrate=0, mode=0),
        new_link(index=4, flags=0, bitrate=250_000),
        new_link(index=4, flags=UP, bitrate=250_000),
    )
    assert events(back) == [(E.BACK, 1), (E.BITRATE, 1), (E.UP, 1)]
    assert follower.state is not None
    assert follower.state.index == 4


def test_back_as_it_was_is_told_as_back_alone() -> None:
    follower = following(new_link(counts=(0, 0, 0, 7, 0, 7)))
    assert events(hear(follower, deleted_link(), new_link(index=4))) == [(E.GONE, 1), (E.BACK, 1)]


def test_another_device_under_the_same_name_is_told() -> None:
    follower = following(new_link(device=("usb", "1-1:1.0")))
    changes = hear(follower, deleted_link(), new_link(index=4, device=("usb", "1-2:1.0")))
    assert events(changes) == [(E.GONE, 1), (E.OTHER_DEVICE, 1)]
    assert "usb 1-2:1.0, before usb 1-1:1.0" in changes[1].words
    again = hear(follower, deleted_link(index=4), new_link(index=5, device=("usb", "1-2:1.0")))
    assert events(again) == [(E.GONE, 1), (E.BACK, 1)]


def test_who_passes_through_the_name_is_not_followed() -> None:
    """Two adapters come back in another order, and udev gives them their names after the kernel did."""
    follower = following()
    changes = hear(
        follower,
        deleted_link(),
        new_link(index=8, name="can0", flags=0),
        new_link(index=8, name="can1", flags=0),
        new_link(index=9, name="can2", flags=0),
        new_link(index=9, name="can0", flags=0),
    )
    assert events(changes) == [(E.GONE, 1), (E.BACK, 1), (E.DOWN, 1), (E.GONE, 1), (E.BACK, 1)]
    assert follower.state is not None
    assert follower.state.index == 9


def test_who_was_up_under_the_name_is_followed_when_renamed() -> None:
    follower = following()
    changes = hear(
        follower,
        deleted_link(),
        new_link(index=8),
        new_link(index=8, flags=0, name="canpt"),
        deleted_link(index=8),
    )
    assert E.RENAMED in {change.event for change in changes}
    assert follower.state is None
    back = hear(follower, new_link(index=9, name="canpt"), new_link(index=10, name="can0"))
    assert events(back) == [(E.BACK, 1), (E.UP, 1)]
    assert follower.state is not None
    assert follower.state.index == 10


def test_who_came_up_under_the_name_after_it_was_back_is_followed_too() -> None:
    follower = following()
    hear(follower, deleted_link(), new_link(index=8, flags=0), new_link(index=8))
    changes = hear(follower, new_link(index=8, name="canpt"))
    assert events(changes) == [(E.RENAMED, 1)]
    assert follower.state is not None


def test_counts_that_begin_anew_are_no_event() -> None:
    follower = following(new_link(counts=(0, 0, 0, 5, 0, 5)))
    assert hear(follower, new_link(counts=(0, 0, 0, 0, 0, 0))) == []


def test_bus_off_and_restart_are_told_as_often_as_the_driver_counted() -> None:
    follower = following(new_link(counts=(0, 0, 0, 2, 0, 2)))
    changes = hear(follower, new_link(counts=(0, 0, 0, 5, 0, 4), state=3, flags=UP, restart_ms=100))
    assert events(changes) == [(E.BUS_OFF, 3), (E.RESTARTED, 2)]
    assert "after 100 ms" in changes[0].words
    assert events(hear(follower, new_link(counts=(0, 0, 0, 5, 0, 5)))) == [(E.RESTARTED, 1)]


def test_bus_off_and_restart_are_told_by_the_state_where_nothing_is_counted() -> None:
    follower = following(new_link(counts=None))
    changes = hear(follower, new_link(counts=None, state=3), new_link(counts=None))
    assert events(changes) == [(E.BUS_OFF, 1), (E.RESTARTED, 1)]
    assert "ip link set can0 type can restart" in changes[0].words
    assert not changes[1].trouble


def test_setting_a_controller_down_and_up_is_no_restart() -> None:
    follower = following(new_link(counts=None, state=3))
    changes = hear(follower, new_link(counts=None, flags=0, state=4), new_link(counts=None))
    assert events(changes) == [(E.DOWN, 1), (E.UP, 1)]


def test_error_states_in_between_are_told() -> None:
    follower = following()
    changes = hear(follower, new_link(state=1), new_link(state=2), new_link(state=5), new_link(state=0))
    assert events(changes) == [(E.STATE, 1), (E.STATE, 1)]
    assert follower.state is not None
    assert follower.state.controller_state is ControllerState.ACTIVE


def test_listen_only_lost_and_found() -> None:
    follower = following()
    changes = hear(
        follower,
        new_link(flags=0),
        new_link(flags=0, mode=0),
        new_link(mode=0),
        new_link(mode=0),
        new_link(flags=0, mode=LISTEN_ONLY),
        new_link(mode=LISTEN_ONLY),
    )
    assert [each.event for each in changes if each.event not in {E.UP, E.DOWN}] == [
        E.NOT_LISTEN_ONLY,
        E.LISTEN_ONLY,
    ]
    assert not follower.listen_only_alarm


def test_a_device_that_comes_back_is_judged_anew() -> None:
    follower = following(new_link(mode=0))
    assert follower.listen_only_alarm
    changes = hear(follower, deleted_link(mode=0))
    assert not follower.listen_only_alarm
    changes = hear(follower, new_link(index=4, mode=0))
    assert E.NOT_LISTEN_ONLY in {change.event for change in changes}


def test_what_the_kernel_does_not_know_is_gone_once() -> None:
    follower = following()
    assert [change.event for change in follower.absent()] == [E.GONE]
    assert follower.absent() == ()
    assert LinkFollower("can0").absent() == ()
