"""A watch on real interfaces of a namespace of its own sees what is done to them."""

import errno
import os
import secrets
import select
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from edge.bus.socketcan.follow import LinkChange, LinkEvent
from edge.bus.socketcan.link import ASK_PERIOD_S, DATAGRAMS_MAX, LinkWatch, NetlinkSocket
from edge.clock import NS_PER_S, VirtualClock
from edge.errors import SourceError
from tests.egress.namespaces import Namespace
from tests.socketcan.kernel_link import UP, Kernel, deleted_link, new_link, refusal

E = LinkEvent


@pytest.fixture(scope="module")
def vehicle() -> Iterator[Namespace]:
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("making network namespaces needs root and ip(8) of iproute2")
    namespace = Namespace(f"lnk{secrets.token_hex(3)}")
    try:
        subprocess.run(["ip", "netns", "add", namespace.name], check=True, capture_output=True, timeout=30)
    except subprocess.CalledProcessError as fault:
        pytest.skip(f"no network namespace can be made here: {fault.stderr.decode().strip()}")
    yield namespace
    subprocess.run(["ip", "netns", "del", namespace.name], check=False, timeout=30)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def pair(vehicle: Namespace) -> Iterator[Namespace]:
    """An interface `bus0` that is up, with another end."""
    plug(vehicle)
    yield vehicle
    for name in ("far0", "far1"):
        subprocess.run(["ip", "-n", vehicle.name, "link", "del", name], check=False, capture_output=True)


def plug(vehicle: Namespace, far: str = "far0") -> None:
    vehicle.ip("link", "add", far, "type", "veth", "peer", "name", "bus0")
    vehicle.ip("link", "set", far, "up")
    vehicle.ip("link", "set", "bus0", "up")


def watch_in(vehicle: Namespace, clock: VirtualClock, interface: str = "bus0") -> LinkWatch:
    return vehicle.call(lambda: LinkWatch(interface, clock))


def readable(watch: LinkWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


def sharing(watch: LinkWatch) -> socket.socket:
    """Its socket, once more."""
    return socket.socket(fileno=os.dup(watch.fileno()))


def other_netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)


def events(changes: tuple[LinkChange, ...]) -> list[LinkEvent]:
    return [change.event for change in changes]


def test_it_knows_what_is_there_when_it_is_made(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        state = watch.state
        assert state is not None
        assert (state.name, state.kind, state.up, state.listen_only, state.mtu) == (
            "bus0",
            "veth",
            True,
            None,
            1500,
        )
        assert state.index == pair.call(lambda: socket.if_nametoindex("bus0"))
        assert watch.look() == ()


def test_down_and_up_are_heard_without_asking(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        pair.ip("link", "set", "bus0", "down")
        pair.ip("link", "set", "bus0", "up")
        assert events(watch.look()) == [E.DOWN, E.UP]
        assert watch.look() == ()


def test_a_renamed_interface_is_followed(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        pair.ip("link", "set", "bus0", "down")
        pair.ip("link", "set", "bus0", "name", "bus7")
        pair.ip("link", "set", "bus7", "up")
        assert events(watch.look()) == [E.DOWN, E.RENAMED, E.UP]
        assert watch.state is not None
        assert watch.state.name == "bus7"
        pair.ip("link", "set", "bus7", "down")
        assert events(watch.look()) == [E.DOWN]


def test_gone_and_back(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        pair.ip("link", "del", "bus0")
        assert events(watch.look()) == [E.DOWN, E.GONE]
        assert watch.state is None
        plug(pair, "far1")
        assert events(watch.look()) == [E.BACK, E.UP]
        assert watch.state is not None
        assert watch.state.index == pair.call(lambda: socket.if_nametoindex("bus0"))


def test_an_interface_may_come_after_the_watch(vehicle: Namespace, clock: VirtualClock) -> None:
    with watch_in(vehicle, clock) as watch:
        assert watch.state is None
        assert watch.look() == ()
        plug(vehicle)
        watch.look()
        assert watch.state is not None
        assert watch.state.up
    vehicle.ip("link", "del", "bus0")


def test_an_alternative_name_is_understood(pair: Namespace, clock: VirtualClock) -> None:
    name = "the-one-at-the-powertrain"
    pair.ip("link", "property", "add", "dev", "bus0", "altname", name)
    with watch_in(pair, clock, name) as watch:
        assert watch.state is not None
        assert watch.state.answers_to(name)
        assert watch.state.name == "bus0"


def test_the_descriptor_becomes_readable(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        assert not readable(watch)
        pair.ip("link", "set", "bus0", "down")
        assert readable(watch)
        watch.look()
        assert not readable(watch)
    assert watch.fileno() == -1
    assert watch.look() == ()


def test_messages_that_were_missed_are_made_up_by_asking(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        with sharing(watch) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        for _ in range(20):
            pair.ip("link", "set", "bus0", "down")
            pair.ip("link", "set", "bus0", "up")
        pair.ip("link", "del", "bus0")
        plug(pair, "far1")
        pair.ip("link", "set", "bus0", "down")
        for _ in range(3):
            watch.look()
        assert watch.overruns
        assert watch.state is not None
        assert watch.state.index == pair.call(lambda: socket.if_nametoindex("bus0"))
        assert not watch.state.up


def test_what_others_send_to_the_socket_is_ignored(pair: Namespace, clock: VirtualClock) -> None:
    with watch_in(pair, clock) as watch:
        assert watch.state is not None
        lie = new_link(index=watch.state.index, name="bus0", flags=0)
        with sharing(watch) as same, pair.call(other_netlink) as stranger:
            stranger.sendto(lie, (same.getsockname()[0], 0))
        assert readable(watch)
        assert watch.look() == ()
        assert watch.state.up


def watch_with(kernel: Kernel, clock: VirtualClock) -> LinkWatch:
    return LinkWatch("can0", clock, open_socket=lambda: kernel)


def test_it_asks_when_that_is_due(clock: VirtualClock) -> None:
    """What the kernel does not tell of its own accord: a controller's state, what is set while it is down."""
    kernel = Kernel(new_link(flags=0))
    with watch_with(kernel, clock) as watch:
        kernel.answer = new_link(flags=0, bitrate=250_000)
        assert watch.look() == ()
        clock.advance_to(clock.boot_ns() + round(ASK_PERIOD_S * NS_PER_S))
        assert events(watch.look()) == [E.BITRATE]
        kernel.answer = new_link(flags=UP, bitrate=250_000)
        assert watch.look() == ()
        assert events(watch.look(ask=True)) == [E.UP]


def test_trouble_at_the_start_is_told_at_the_first_look(clock: VirtualClock) -> None:
    with watch_with(Kernel(new_link(mode=0)), clock) as watch:
        assert watch.listen_only_alarm
        assert events(watch.look()) == [E.NOT_LISTEN_ONLY]
        assert watch.look() == ()


def test_what_went_away_unheard_is_looked_for_by_its_name_at_once(clock: VirtualClock) -> None:
    kernel = Kernel(new_link())
    with watch_with(kernel, clock) as watch:
        kernel.answer = b""
        kernel.waiting += [OSError(errno.ENOBUFS, "No buffer space available")]
        assert events(watch.look()) == [E.GONE]
        assert watch.overruns == 1
        kernel.answer = new_link(index=4)
        assert events(watch.look(ask=True)) == [E.BACK]


def test_an_answer_that_was_overtaken_takes_nothing_away(clock: VirtualClock) -> None:
    """The old interface is not known any more, but the new one has been told of before that answer."""
    kernel = Kernel(new_link())
    with watch_with(kernel, clock) as watch:
        kernel.answer = deleted_link() + new_link(index=4) + refusal(2, errno.ENODEV)
        assert events(watch.look(ask=True)) == [E.GONE, E.BACK]
        assert watch.state is not None


def test_a_flood_of_messages_does_not_keep_frames_waiting(clock: VirtualClock) -> None:
    kernel = Kernel(new_link())
    with watch_with(kernel, clock) as watch:
        kernel.waiting += [new_link(index=9, name="wlan0", kind="")] * 1000
        assert watch.look() == ()
        assert len(kernel.waiting) >= 1000 - DATAGRAMS_MAX
        kernel.waiting = [*kernel.waiting[:DATAGRAMS_MAX], new_link(flags=0)]
        assert watch.look() == ()
        assert events(watch.look()) == [E.DOWN]


def test_an_answer_to_an_older_question_takes_nothing_away(clock: VirtualClock) -> None:
    kernel = Kernel(new_link())
    with watch_with(kernel, clock) as watch:
        watch.look(ask=True)
        kernel.waiting.append(refusal(1, errno.ENODEV))
        assert watch.look() == ()
        assert watch.state is not None


def test_nonsense_is_counted(clock: VirtualClock) -> None:
    kernel = Kernel(new_link())
    with watch_with(kernel, clock) as watch:
        kernel.waiting.append(b"nonsense")
        assert watch.look() == ()
        assert watch.unreadable == 1


def test_a_kernel_that_takes_no_more_questions_leaves_the_state_as_it_was(clock: VirtualClock) -> None:
    kernel = Kernel(new_link())
    with watch_with(kernel, clock) as watch:
        kernel.refuses = True
        assert watch.look(ask=True) == ()
        assert (watch.unanswered, watch.blind) == (1, True)
        assert watch.state is not None
        kernel.refuses = False
        watch.look(ask=True)
        assert (watch.unanswered, watch.blind) == (1, False)


def test_a_kernel_that_takes_no_question_is_an_error(clock: VirtualClock) -> None:
    kernel = Kernel(new_link())
    kernel.refuses = True
    with pytest.raises(SourceError, match="can0: the kernel takes no questions"):
        watch_with(kernel, clock)
    assert not kernel.open


def test_no_netlink_at_all_is_an_error(clock: VirtualClock) -> None:
    def refuse() -> NetlinkSocket:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    with pytest.raises(SourceError, match="RestrictAddressFamilies"):
        LinkWatch("can0", clock, open_socket=refuse)


def test_what_is_no_name_is_an_error(clock: VirtualClock) -> None:
    with pytest.raises(SourceError, match="no name of an interface"):
        LinkWatch("x" * 200, clock)
