"""Only addresses that may be connected to get a packet, under the name that the certificate must hold."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from edge.uplink.dialling import look_up
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.reasons import Pace, close_reason
from edge.uplink.redirects import CONNECT_AGAIN, redirected
from edge.uplink.tls import TlsSettings
from simulator.broker import BrokerOptions
from simulator.certificates import Authority
from tests.uplink.live import LiveUplink, mosquitto, until
from tests.uplink.test_uplink_hostile import CONNACK, speaker

NAME = "broker.example"
TWO = ("127.0.0.1", "127.0.0.2")
NOT_LISTED = "which the policy does not list"
ADVICE = "Have the name server corrected, or the policy list the network if it is the destination's"


def only(*allowed: str) -> Callable[[str], str]:
    return lambda address: "" if address in allowed else NOT_LISTED


class Names:
    """A name server that gives one answer after the other, and the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Two addresses of one port on which whoever connects is seen."""
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server((TWO[0], 0)))
        second = stack.enter_context(socket.create_server((TWO[1], first.getsockname()[1])))
        for listener in (first, second):
            listener.setblocking(False)
        yield [first, second]


def came(listeners: Iterable[socket.socket]) -> list[bool]:
    """On which of the listeners somebody has connected."""
    seen = []
    for listener in listeners:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            seen.append(False)
        else:
            seen.append(True)
    return seen


def port_of(listeners: Sequence[socket.socket]) -> int:
    port: int = listeners[0].getsockname()[1]
    return port


def settings(port: int, names: Names, *allowed: str) -> MqttSettings:
    return MqttSettings(NAME, port, "gw", tls=None, resolve=names, address_refused=only(*allowed))


def facts(live: LiveUplink, name: str) -> int:
    return live.uplink.hops()[0].facts.get(name, 0)


class TestAddresses:
    @pytest.mark.parametrize("answer", [["127.0.0.2"], [*TWO], ["127.0.0.2", "127.0.0.1"]])
    def test_one_that_is_not_allowed_ends_the_attempt_before_any_packet(
        self, listeners: list[socket.socket], answer: list[str]
    ) -> None:
        with LiveUplink(settings(port_of(listeners), Names(answer), "127.0.0.1")) as live:
            until(
                lambda: facts(live, "connections to addresses that the policy does not list") >= 3, "refusals"
            )
            assert facts(live, "connections refused") >= 3
        assert came(listeners) == [False, False]
        where = f"{NAME}:{port_of(listeners)}"
        assert live.told == [f"{where}: DNS answered 127.0.0.2 for {NAME}, {NOT_LISTED}: refused. {ADVICE}"]

    def test_it_is_tried_again_and_stands_once_the_answer_is_right(self) -> None:
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        with (
            speaker([CONNACK["5"]]) as server,
            LiveUplink(settings(server.port, names, "127.0.0.1")) as live,
        ):
            until(lambda: facts(live, "connections") == 1, "the connection")
            assert names.asked == [NAME, NAME]

    def test_an_answer_that_changes_after_the_check_counts_for_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked_up: list[object] = []
        resolver = socket.getaddrinfo

        def watched(host: str, *rest: object, **more: object) -> object:
            looked_up.append(host)
            return resolver(host, *rest, **more)  # type: ignore[arg-type]  # handed on as it came

        monkeypatch.setattr(socket, "getaddrinfo", watched)
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        with (
            speaker([CONNACK["5"]]) as server,
            LiveUplink(settings(server.port, names, *TWO)) as live,
        ):
            until(lambda: facts(live, "connections") == 1, "the connection")
            assert names.asked == [NAME]
        assert all(ipaddress.ip_address(str(host)) for host in looked_up)

    def test_the_next_one_is_tried_when_one_does_not_answer(self) -> None:
        names = Names(["127.0.0.2", "127.0.0.1"])
        with speaker([CONNACK["5"]]) as server, LiveUplink(settings(server.port, names, *TWO)) as live:
            until(lambda: facts(live, "connections") == 1, "the connection")
        assert facts(live, "connections refused") == 0

    def test_when_none_answers_the_last_failure_is_told(self, listeners: list[socket.socket]) -> None:
        port = port_of(listeners)
        for listener in listeners:
            listener.close()
        with LiveUplink(settings(port, Names([*TWO]), *TWO)) as live:
            until(lambda: bool(live.told), "the notice")
        assert live.told[0].startswith(f"{NAME}:{port}: nothing listens there")

    def test_a_name_is_no_answer(self, listeners: list[socket.socket]) -> None:
        with LiveUplink(settings(port_of(listeners), Names(["localhost"]), "localhost")) as live:
            until(lambda: bool(live.told), "the notice")
        assert f"DNS answered localhost for {NAME}, which is no address: refused" in live.told[0]
        assert came(listeners) == [False, False]

    def test_no_answer_is_no_host(self, listeners: list[socket.socket]) -> None:
        with LiveUplink(settings(port_of(listeners), Names([]))) as live:
            until(lambda: bool(live.told), "the notice")
        assert f"the host name '{NAME}' cannot be resolved" in live.told[0]

    def test_the_machines_own_resolver_gives_addresses(self) -> None:
        assert set(look_up("localhost")) <= {"127.0.0.1", "::1"}
        assert look_up("localhost")
        assert look_up("203.0.113.9") == ["203.0.113.9"]
        assert look_up("2001:DB8:0::9") == ["2001:db8::9"]


class TestTls:
    @pytest.mark.parametrize(("held", "stands"), [(NAME, True), ("127.0.0.1", False), ("a.example", False)])
    def test_the_certificate_has_to_hold_the_name_and_not_the_address(
        self, tmp_path: Path, held: str, stands: bool
    ) -> None:
        authority = Authority(tmp_path, wall_ns=time.time_ns())
        pair = authority.server("broker", names=[held])
        with mosquitto(tmp_path / "broker", BrokerOptions(tls=pair)) as broker:
            plain = settings(broker.port(), Names(["127.0.0.1"]), "127.0.0.1")
            secure = replace(plain, tls=TlsSettings(ca_file=authority.certificate))
            with LiveUplink(secure) as live:
                until(lambda: bool(live.told), "the notice")
        where = f"{NAME}:{broker.port()}"
        if stands:
            assert live.told[0] == f"{where}: connected, MQTT 5"
        else:
            assert live.told[0].startswith(f"{where}: the broker's certificate is not for '{NAME}'")


def redirect(code: int, reference: str, *, connected: bool) -> bytes:
    """A CONNACK, or a DISCONNECT after one, with a Server Reference."""
    named = b"\x1c" + len(reference).to_bytes(2, "big") + reference.encode()
    body = bytes((code, len(named))) + named
    if connected:
        return CONNACK["5"] + bytes((0xE0, len(body))) + body
    return bytes((0x20, len(body) + 1, 0)) + body


class TestRedirects:
    @pytest.mark.parametrize("connected", [False, True], ids=["CONNACK", "DISCONNECT"])
    @pytest.mark.parametrize("code", [0x9C, 0x9D])
    def test_they_are_refused_and_said(
        self, listeners: list[socket.socket], code: int, connected: bool
    ) -> None:
        elsewhere = f"{TWO[1]}:{port_of(listeners)}"
        with speaker([redirect(code, elsewhere, connected=connected)] * 3 + [CONNACK["5"]]) as server:
            names = Names(["127.0.0.1"])
            with LiveUplink(settings(server.port, names, *TWO)) as live:
                until(lambda: facts(live, "redirects refused") == 3, "three redirects")
                until(lambda: facts(live, "connections") == (4 if connected else 1), "the connection")
        assert came(listeners) == [False, False]
        assert set(names.asked) == {NAME}
        words = f"; it named '{elsewhere}', which was refused. If you trust that server"
        assert [words in told for told in live.told] == [True]

    def test_one_to_the_same_server_is_a_new_connection(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        reason = close_reason(0x9D)
        for reference in (NAME, f"{NAME}:{port}", f"Broker.Example.:{port}", f"other.example {NAME}"):
            assert redirected(reason, reference, host=NAME, port=port) is CONNECT_AGAIN
        long = "2001:db8:1:2:3:4:5:a"
        for host, reference in (
            ("::1", "[::1]"),
            ("::1", f"[::1]:{port}"),
            ("::1", "::1"),
            (long, long),
            (long, f"[{long}]:{port}"),
        ):
            assert redirected(reason, reference, host=host, port=port) is CONNECT_AGAIN
        assert CONNECT_AGAIN.pace is Pace.SOON

    @pytest.mark.parametrize(
        "reference",
        [
            "other.example",
            "other.example:8883",
            f"{NAME}.evil.com",
            f"evil-{NAME}",
            f"{NAME}:8884",
            f"{NAME}:",
            f"{NAME}:8883:8883",
            f"mqtts://{NAME}",
            f"{NAME},other.example",
            ":8883",
        ],
    )
    def test_one_to_any_other_is_not(self, reference: str) -> None:
        told = redirected(close_reason(0x9C), reference, host=NAME, port=8883)
        assert told.key == "use-another-server"
        assert told.what == f"{close_reason(0x9C).what}; it named {reference!r}, which was refused"
        assert told.fact == "redirects refused"
        assert told.pace is Pace.LATE

    def test_what_is_shown_of_it_is_short_and_printable(self) -> None:
        told = redirected(close_reason(0x9C), "\x1b[2J" + 60_000 * "x", host=NAME, port=8883).what
        assert told.isprintable()
        assert len(told) < 400
        assert redirected(close_reason(0x9C), "", host=NAME, port=8883) == close_reason(0x9C)
