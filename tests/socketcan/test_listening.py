"""A controller that can send is an alarm, and only where there is one that is up."""

import pytest

from edge.bus.socketcan.link_state import LinkState
from edge.bus.socketcan.listening import ListenOnlyAlarm, judge
from edge.bus.socketcan.netlink import LinkTold, told
from tests.socketcan.kernel_link import ARPHRD_CAN, ARPHRD_ETHER, LISTEN_ONLY, UP, new_link


def state_of(datagram: bytes) -> LinkState:
    (heard,) = told(datagram)
    assert isinstance(heard, LinkTold)
    return LinkState.of(heard.link)


SILENT, SENDS = state_of(new_link(mode=LISTEN_ONLY)), state_of(new_link(mode=0))


def test_the_flag_decides_whatever_else_is_on() -> None:
    assert SILENT.listen_only is True
    assert SENDS.listen_only is False
    assert state_of(new_link(mode=0xFFFF_FFFF)).listen_only is True
    assert state_of(new_link(mode=0xFFFF_FFFF ^ LISTEN_ONLY)).listen_only is False


@pytest.mark.parametrize(
    ("kind", "hardware"), [("vcan", ARPHRD_CAN), ("vxcan", ARPHRD_CAN), ("veth", ARPHRD_ETHER), ("", 1)]
)
def test_without_a_controller_there_is_no_alarm(kind: str, hardware: int) -> None:
    state = state_of(new_link(kind=kind, hardware=hardware))
    assert state.listen_only is None
    judgement = judge(state)
    assert not judgement.alarm
    assert "no controller" in judgement.words


def test_a_driver_that_tells_nothing_is_taken_for_one_that_sends() -> None:
    state = state_of(new_link(kind="", hardware=ARPHRD_CAN))
    assert state.listen_only is False
    assert judge(state).alarm
    assert "does not tell" in judge(state).words


def test_the_alarm_says_what_to_do() -> None:
    assert judge(SENDS).alarm
    assert "ip link set can0 type can listen-only on" in judge(SENDS).words
    unable = state_of(new_link(mode=0, supported=0x1FD))
    assert unable.can_listen_only is False
    assert "another adapter" in judge(unable).words


def test_the_alarm_is_told_once_and_cleared_once() -> None:
    alarm = ListenOnlyAlarm()
    told_of = [alarm.look(state) for state in (SILENT, SENDS, SENDS, SILENT, SILENT, SENDS)]
    assert [None if each is None else each.alarm for each in told_of] == [None, True, None, False, None, True]
    assert alarm.standing


def test_an_interface_is_judged_when_it_is_up() -> None:
    alarm = ListenOnlyAlarm()
    assert alarm.look(state_of(new_link(mode=0, flags=0))) is None
    assert alarm.look(None) is None
    raised = alarm.look(state_of(new_link(mode=0, flags=UP)))
    assert raised is not None
    assert raised.alarm
    assert alarm.look(state_of(new_link(mode=LISTEN_ONLY, flags=0))) is None
    assert alarm.standing
