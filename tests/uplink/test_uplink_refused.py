"""What a person reads when the broker cannot be reached or trusted, word by word."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import KeyFileError
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.tls import TlsSettings
from simulator.broker import BrokerOptions, EmbeddedBroker, MosquittoBroker, free_ports
from simulator.certificates import Authority
from tests.uplink.live import LiveUplink, mosquitto, until


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, wall_ns=time.time_ns())


@pytest.fixture
def secure(tmp_path: Path, authority: Authority) -> Iterator[MosquittoBroker]:
    with mosquitto(tmp_path / "broker", BrokerOptions(tls=authority.server())) as broker:
        yield broker


def first_words(settings: MqttSettings) -> str:
    """The first notice, without the broker's address; the same trouble is not told twice."""
    with LiveUplink(settings) as live:
        until(lambda: live.uplink.hops()[0].facts.get("connections refused", 0) >= 3, "three refusals")
        (told,) = live.told
    assert told.startswith(f"{settings.where}: ")
    return told.removeprefix(f"{settings.where}: ")


class TestCertificates:
    def test_wrong_authority(self, secure: MosquittoBroker, tmp_path: Path) -> None:
        other = Authority(tmp_path, wall_ns=time.time_ns(), name="other-ca").certificate
        tls = TlsSettings(ca_file=other)
        assert first_words(MqttSettings("localhost", secure.port(), "gw", tls=tls)) == (
            f"the broker's certificate comes from no authority in {other}. Set uplink.tls.ca_file to the "
            "certificate of the authority that issued it"
        )

    def test_no_authority_of_the_system(self, secure: MosquittoBroker) -> None:
        assert first_words(MqttSettings("localhost", secure.port(), "gw")) == (
            "the broker's certificate comes from no authority in the system's authorities. Set "
            "uplink.tls.ca_file to the certificate of the authority that issued it"
        )

    def test_expired(self, authority: Authority, tmp_path: Path) -> None:
        pair = authority.server("expired", expired=True)
        with mosquitto(tmp_path / "broker", BrokerOptions(tls=pair)) as broker:
            tls = TlsSettings(ca_file=authority.certificate)
            assert first_words(MqttSettings("localhost", broker.port(), "gw", tls=tls)) == (
                "the broker's certificate has expired. Have it renewed; if it is valid, this machine's clock "
                "is wrong"
            )

    def test_wrong_name(self, authority: Authority, tmp_path: Path) -> None:
        pair = authority.server("elsewhere", names=["broker.example"])
        with mosquitto(tmp_path / "broker", BrokerOptions(tls=pair)) as broker:
            tls = TlsSettings(ca_file=authority.certificate)
            assert first_words(MqttSettings("localhost", broker.port(), "gw", tls=tls)) == (
                "the broker's certificate is not for 'localhost'. Set uplink.host to a name that the "
                "certificate holds, or have it issued for this one"
            )

    def test_client_certificate_missing(self, authority: Authority, tmp_path: Path) -> None:
        options = BrokerOptions(tls=authority.server(), client_ca=authority.certificate)
        with mosquitto(tmp_path / "broker", options) as broker:
            tls = TlsSettings(ca_file=authority.certificate)
            assert first_words(MqttSettings("localhost", broker.port(), "gw", tls=tls)) == (
                "the broker does not accept this gateway's client certificate, or wants one. Check "
                "uplink.tls.certificate and uplink.tls.key"
            )


class TestDoors:
    def test_wrong_password(self, tmp_path: Path) -> None:
        word = tmp_path / "password"
        word.write_text("s3cret-and-wrong\n")
        with mosquitto(tmp_path / "broker", BrokerOptions(users={"gateway": "right"})) as broker:
            settings = MqttSettings(
                "127.0.0.1", broker.port(), "gw", tls=None, username="gateway", password_file=word
            )
            for protocol in ("5", "3.1.1"):
                told = first_words(replace(settings, protocol=protocol))
                assert told == (
                    "the broker does not let this gateway in. Check uplink.username, the file "
                    "uplink.password_file and the client certificate, and the broker's access list"
                )
                assert "s3cret" not in told

    def test_a_broker_that_hangs_up_on_a_wrong_password(self, tmp_path: Path) -> None:
        pytest.importorskip("iotcore", reason="iotcore is not installed: pip install 'nevgate[simulator]'")
        word = tmp_path / "password"
        word.write_text("s3cret-and-wrong\n")
        with EmbeddedBroker(tmp_path / "broker", BrokerOptions(users={"gateway": "right"})) as broker:
            settings = MqttSettings(
                "127.0.0.1", broker.port(), "gw", tls=None, username="gateway", password_file=word
            )
            assert first_words(settings).endswith(
                "if it wants a user name and password, TLS or a client certificate, check those"
            )

    def test_a_password_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        settings = MqttSettings("127.0.0.1", 1, "gw", tls=None, username="gateway", password_file=gone)
        assert first_words(settings) == f"{gone}: the password cannot be read. Check uplink.password_file"

    def test_nothing_listens(self) -> None:
        (port,) = free_ports(1)
        assert first_words(MqttSettings("127.0.0.1", port, "gw", tls=None)) == (
            "nothing listens there. Check uplink.host and uplink.port, and whether the broker runs"
        )

    def test_no_such_host(self) -> None:
        for host in ("broker.invalid", "a" * 64 + ".invalid"):
            assert first_words(MqttSettings(host, 8883, "gw")) == (
                f"the host name '{host}' cannot be resolved. Check uplink.host, and whether this machine "
                "reaches a name server"
            )

    def test_tls_to_a_port_without(self, tmp_path: Path) -> None:
        with mosquitto(tmp_path / "broker") as broker:
            assert first_words(MqttSettings("localhost", broker.port(), "gw")) == (
                "the connection was closed while it was being opened. Check that uplink.port is the broker's "
                "and that tls.enabled fits it; see the broker's log"
            )

    def test_no_tls_to_a_port_with(self, secure: MosquittoBroker) -> None:
        assert first_words(MqttSettings("localhost", secure.port(), "gw", tls=None)) == (
            "the broker closed the connection without an answer to CONNECT (MQTT 5). Check uplink.port; if "
            'the broker speaks another version, set uplink.protocol = "3.1.1"; if it wants a user name and '
            "password, TLS or a client certificate, check those"
        )

    def test_something_that_is_no_broker(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings = MqttSettings("127.0.0.1", listener.getsockname()[1], "gw", tls=None, keep_alive_s=5)
            with LiveUplink(settings) as live:
                peer, _ = listener.accept()
                peer.sendall(b"\xff" * 16)
                until(lambda: bool(live.told), "the notice")
                peer.close()
                assert live.told[0].startswith(f"{settings.where}: the broker closed the connection without")


class TestFiles:
    def test_each_is_named_before_anything_starts(self, authority: Authority, tmp_path: Path) -> None:
        pair, other = authority.client("one"), authority.client("two")
        empty = tmp_path / "empty.pem"
        empty.touch()
        gone = tmp_path / "gone.pem"
        table = {
            TlsSettings(ca_file=gone): f"{gone}: cannot be read (No such file or directory). Check "
            "uplink.tls.ca_file",
            TlsSettings(ca_file=empty): f"{empty}: holds no certificate. Set uplink.tls.ca_file to the "
            "authority's certificate in PEM form",
            TlsSettings(certificate=pair.certificate, key=gone): f"{gone}: cannot be read (No such file or "
            "directory). Check uplink.tls.certificate and uplink.tls.key",
            TlsSettings(certificate=pair.certificate, key=other.key): f"{other.key}: is not the key of "
            f"{pair.certificate}. Set uplink.tls.certificate and uplink.tls.key to a pair",
            TlsSettings(certificate=empty, key=pair.key): f"{pair.key}: cannot be used with {empty}: no PEM "
            "file, or the key is encrypted. Give both as PEM, the key without a passphrase",
        }
        for tls, words in table.items():
            with pytest.raises(KeyFileError) as caught:
                MqttLink(MqttSettings("localhost", 8883, "gw", tls=tls))
            assert str(caught.value) == words
