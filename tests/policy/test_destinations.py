"""A destination gets what the policy allows its name, host, purpose and jurisdiction, and nothing else."""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.destinations import (
    NOT_LISTED,
    ConfiguredDestination,
    Destinations,
    address_of,
    host_matches,
    host_of,
)
from edge.policy.rules import ANYWHERE, FULL, AllowedDestination, Basis, Policy, Precision, Purpose, Rule

OPERATION, POSITION, CABIN = DataClass.OPERATION, DataClass.POSITION, DataClass.CABIN
REGULATED, SERVICE = Purpose.REGULATED, Purpose.SERVICE
COARSE = Precision(cell_m=1000)


def rule(
    data_class: DataClass,
    purpose: Purpose = REGULATED,
    jurisdictions: Iterable[str] = ("CN",),
    destinations: Iterable[str] = (),
    precision: Precision = FULL,
) -> Rule:
    return Rule(data_class, purpose, Basis.LAW, frozenset(jurisdictions), frozenset(destinations), precision)


def listed(
    *hosts: str,
    name: str = "platform",
    purpose: Purpose = REGULATED,
    jurisdiction: str = "CN",
    networks: Iterable[str] = (),
) -> AllowedDestination:
    return AllowedDestination(name, purpose, jurisdiction, hosts, tuple(map(ip_network, networks)))


def judge(*rules: Rule, allow: Iterable[AllowedDestination] = ()) -> Destinations:
    policy = Policy(
        "test",
        1,
        "strict",
        {(one.data_class, one.purpose): one for one in rules},
        {one.name: one for one in allow},
    )
    return Destinations(policy, Admission.of(policy, {}))


PLATFORM = ConfiguredDestination("platform", "broker.example.cn", 8883, REGULATED, "CN")
LOCAL = ConfiguredDestination("platform", "localhost", 1883, REGULATED)


class TestWhatADestinationMayHave:
    def test_the_classes_of_its_purpose_that_may_go_where_it_stands(self) -> None:
        judged = judge(
            rule(OPERATION),
            rule(POSITION, jurisdictions={"DE", "FR"}),
            rule(CABIN, jurisdictions={ANYWHERE}),
            rule(DataClass.HEALTH, SERVICE),
            rule(DataClass.IDENTITY, jurisdictions=()),
        )
        verdict = judged.allowed(PLATFORM)
        assert verdict.allowed
        assert verdict.classes == {OPERATION, CABIN}
        assert verdict.why == ""
        assert judged.why_not(PLATFORM, OPERATION) == ""
        assert judged.why_not(PLATFORM, POSITION) == "position for regulated may not go to CN"
        assert judged.why_not(PLATFORM, DataClass.HEALTH) == "health is not collected for regulated"
        assert judged.why_not(PLATFORM, DataClass.IDENTITY) == "identity for regulated stays in the vehicle"

    def test_a_rule_that_names_destinations_is_for_them_alone(self) -> None:
        judged = judge(rule(OPERATION), rule(POSITION, destinations={"other", "fleet"}))
        assert judged.allowed(PLATFORM).classes == {OPERATION}
        assert judged.allowed(replace(PLATFORM, name="fleet")).classes == {OPERATION, POSITION}
        assert judged.why_not(PLATFORM, POSITION) == "position for regulated goes only to fleet, other"

    def test_positions_come_in_the_precision_of_its_purpose(self) -> None:
        judged = judge(
            rule(OPERATION),
            rule(POSITION),
            rule(OPERATION, SERVICE),
            rule(POSITION, SERVICE, precision=COARSE),
        )
        assert judged.allowed(PLATFORM).precision == FULL
        assert judged.allowed(replace(PLATFORM, purpose=SERVICE)).precision == COARSE
        assert judge(rule(OPERATION)).allowed(PLATFORM).precision == FULL

    def test_one_that_may_have_nothing_is_not_connected_to(self) -> None:
        nothing = judge(rule(OPERATION, SERVICE)).allowed(PLATFORM)
        assert (nothing.allowed, nothing.classes) == (False, frozenset())
        assert nothing.why == "nothing is collected for regulated at present"
        kept = judge(rule(OPERATION, jurisdictions=()), rule(POSITION, jurisdictions={"DE"})).allowed(
            PLATFORM
        )
        assert not kept.allowed
        assert kept.why == (
            "operation for regulated stays in the vehicle; position for regulated may not go to CN"
        )

    def test_where_it_stands_has_to_be_stated_even_where_anywhere_will_do(self) -> None:
        verdict = judge(rule(OPERATION, jurisdictions={ANYWHERE}), rule(POSITION)).allowed(
            replace(PLATFORM, jurisdiction="")
        )
        assert not verdict.allowed
        assert verdict.why == "it is not stated in which jurisdiction the machines of 'platform' stand"

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "/run/mqtt"]
    )
    def test_a_machine_of_the_vehicle_needs_no_jurisdiction(self, host: str) -> None:
        local = replace(LOCAL, host=host)
        judged = judge(rule(OPERATION), rule(CABIN, jurisdictions=()), rule(POSITION, destinations={"other"}))
        assert local.in_vehicle
        assert judged.allowed(local).classes == {OPERATION, CABIN}

    @pytest.mark.parametrize(
        "host",
        ["broker.example.cn", "localhost.example.cn", "notlocalhost", "128.0.0.1", "::2", "::ffff:10.0.0.1"],
    )
    def test_any_other_machine_does(self, host: str) -> None:
        remote = replace(LOCAL, host=host)
        assert not remote.in_vehicle
        assert not judge(rule(OPERATION)).allowed(remote).allowed

    @given(
        st.sets(st.sampled_from(list(DataClass))),
        st.sampled_from([REGULATED, SERVICE]),
        st.sampled_from(["CN", "DE", ""]),
        st.booleans(),
    )
    def test_no_class_without_a_rule_that_allows_it(
        self, classes: set[DataClass], purpose: Purpose, jurisdiction: str, local: bool
    ) -> None:
        judged = judge(*(rule(one) for one in classes))
        host = "localhost" if local else "broker.example.cn"
        verdict = judged.allowed(ConfiguredDestination("platform", host, 1, purpose, jurisdiction))
        may = purpose is REGULATED and (local or jurisdiction == "CN")
        assert verdict.classes == (classes if may else frozenset())
        assert verdict.allowed == bool(verdict.classes)
        assert verdict.allowed == (not verdict.why)


class TestTheList:
    def allowed(self, destination: ConfiguredDestination, *allow: AllowedDestination) -> str:
        """Why it may not be connected to."""
        verdict = judge(rule(OPERATION), allow=allow).allowed(destination)
        assert verdict.allowed == (not verdict.why)
        return verdict.why

    def test_what_it_names_may_be_connected_to(self) -> None:
        assert not self.allowed(PLATFORM, listed("broker.example.cn"))
        assert not self.allowed(PLATFORM, listed("elsewhere.example", "*.EXAMPLE.cn."))
        assert not self.allowed(PLATFORM, listed("other.example", name="other"), listed("broker.example.cn"))

    def test_what_it_does_not_name_may_not(self) -> None:
        assert self.allowed(PLATFORM, listed("broker.example.cn", name="other")) == (
            "the policy lists no destination 'platform'"
        )
        assert self.allowed(PLATFORM, listed("*.example.com", "example.cn")) == (
            f"the host of 'platform' is broker.example.cn, {NOT_LISTED}"
        )
        assert self.allowed(PLATFORM, listed()) == (
            f"the host of 'platform' is broker.example.cn, {NOT_LISTED}"
        )

    def test_a_machine_of_the_vehicle_has_to_be_in_it_too(self) -> None:
        assert self.allowed(LOCAL, listed("broker.example.cn"))
        assert not self.allowed(LOCAL, listed("localhost"))

    def test_the_configuration_may_not_contradict_it(self) -> None:
        assert self.allowed(PLATFORM, listed("broker.example.cn", purpose=SERVICE)) == (
            "the policy lists 'platform' for service, and the configuration for regulated"
        )
        assert self.allowed(replace(PLATFORM, jurisdiction="DE"), listed("broker.example.cn")) == (
            "the policy lists 'platform' for CN, and the configuration for DE"
        )

    def test_its_jurisdiction_holds_where_the_configuration_states_none(self) -> None:
        silent = replace(PLATFORM, jurisdiction="")
        assert not self.allowed(silent, listed("broker.example.cn"))
        assert self.allowed(silent, listed("broker.example.cn", jurisdiction="DE")) == (
            "operation for regulated may not go to DE"
        )

    def test_a_host_that_is_an_address_has_to_be_in_its_networks(self) -> None:
        host = replace(PLATFORM, host="203.0.113.9")
        assert not self.allowed(host, listed("203.0.113.9", networks=["203.0.113.0/24"]))
        assert self.allowed(host, listed("203.0.113.9", networks=["198.51.100.0/24"])) == (
            f"the host of 'platform' is 203.0.113.9, {NOT_LISTED}"
        )

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "224.0.0.1", "ff02::1"])  # noqa: S104 - refused
    def test_a_host_that_is_no_machines_address_is_refused_with_any_list(self, host: str) -> None:
        assert self.allowed(replace(PLATFORM, host=host)) == (
            f"the host of 'platform' is {host}, which is no machine's address"
        )

    def test_what_is_no_host_is_refused_with_any_list(self) -> None:
        assert self.allowed(replace(PLATFORM, host="127.1")) == (
            "'127.1' is neither a host name nor an address"
        )
        assert self.allowed(replace(PLATFORM, host="127.1"), listed("127.1"))


class TestAddresses:
    def test_without_a_list_any_machines_address_will_do(self) -> None:
        judged = judge(rule(OPERATION))
        for address in ("203.0.113.9", "2001:db8::9", "10.0.0.1"):
            assert not judged.address_refused(PLATFORM, address)
        for address in ("0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0"):  # noqa: S104 - refused
            assert judged.address_refused(PLATFORM, address) == "which is no machine's address"
        for address in ("broker.example.cn", "", "127.1", "203.0.113.9/32"):
            assert judged.address_refused(PLATFORM, address) == "which is no address"

    def test_a_name_of_this_machine_has_addresses_of_this_machine(self) -> None:
        for judged in (judge(), judge(allow=[listed("localhost", networks=["0.0.0.0/0"])])):
            assert judged.address_refused(LOCAL, "203.0.113.9") == "which is not this machine's"
            assert not judged.address_refused(LOCAL, "127.0.0.1")

    def test_a_list_without_networks_takes_any(self) -> None:
        judged = judge(allow=[listed("broker.example.cn")])
        assert not judged.address_refused(PLATFORM, "203.0.113.9")

    def test_a_list_with_networks_takes_theirs_alone(self) -> None:
        judged = judge(allow=[listed("broker.example.cn", networks=["203.0.113.0/24", "2001:db8::/32"])])
        for address in ("203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9"):
            assert not judged.address_refused(PLATFORM, address)
        for address in ("203.0.114.9", "2001:db9::9", "::ffff:203.0.114.9", "127.0.0.1"):
            assert judged.address_refused(PLATFORM, address) == NOT_LISTED

    def test_a_destination_that_it_does_not_name_has_none(self) -> None:
        judged = judge(allow=[listed("broker.example.cn", name="other")])
        assert judged.address_refused(PLATFORM, "203.0.113.9") == NOT_LISTED


class TestHosts:
    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("Broker.Example.CN", "broker.example.cn"),
            ("broker.example.cn.", "broker.example.cn"),
            ("例子.CN", "xn--fsqu00a.cn"),
            ("XN--FSQU00A.cn", "xn--fsqu00a.cn"),
            ("broker。example．cn", "broker.example.cn"),  # noqa: RUF001 - dots that a resolver takes as such
            ("my_broker", "my_broker"),
            ("203.0.113.9", IPv4Address("203.0.113.9")),
            ("2001:DB8:0::9", IPv6Address("2001:db8::9")),
            ("::ffff:203.0.113.9", IPv4Address("203.0.113.9")),
            ("/run/mqtt.sock", PurePosixPath("/run/mqtt.sock")),
            ("0x7f.example", "0x7f.example"),
            ("9.example9", "9.example9"),
        ],
    )
    def test_one_form_for_all_spellings(self, text: str, host: object) -> None:
        assert host_of(text) == host

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ".",
            "a..b",
            ".example.cn",
            "example.cn..",
            "a" * 64 + ".cn",
            "bro ker.cn",
            "example.cn\0.evil.com",
            "example.cn\n",
            "broker.cn:8883",
            "user@example.cn",
            "*.example.cn",
            "[::1]",
            "127.1",
            "2130706433",
            "0x7f000001",
            "127.0.0.0x1",
            "127.0.0.0x",
            "１２７.0.0.1",  # noqa: RUF001 - digits of another width, as an attacker would write them
            "010.0.0.256",
            "\ud800.cn",
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        assert host_of(text) is None

    def test_an_address_has_one_form(self) -> None:
        assert address_of("::FFFF:7f00:1") == ip_address("127.0.0.1")
        assert address_of("::7f00:1") == ip_address("::7f00:1")
        assert address_of("127.0.0.01") is None


def matches(pattern: str, text: str) -> bool:
    host = host_of(text)
    assert host is not None
    return host_matches(pattern, host)


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "host"),
        [
            ("broker.example.cn", "broker.example.cn"),
            ("Broker.Example.CN.", "broker.example.cn"),
            ("*.example.cn", "broker.example.cn"),
            ("*.example.cn", "a.b.Example.CN."),
            ("*.例子.cn", "broker.xn--fsqu00a.cn"),
            ("2001:DB8::0:9", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("/run/mqtt", "/run/mqtt"),
        ],
    )
    def test_what_they_name(self, pattern: str, host: str) -> None:
        assert matches(pattern, host)

    @pytest.mark.parametrize(
        ("pattern", "host"),
        [
            ("example.cn", "broker.example.cn"),
            ("example.cn", "example.cn.evil.com"),
            ("*.example.cn", "example.cn"),
            ("*.example.cn", "broker.example.cn.evil.com"),
            ("*.example.cn", "evilexample.cn"),
            ("*.example.cn", "/run/broker.example.cn"),
            ("*.113.9", "203.0.113.9"),
            ("*.0.113.9", "203.0.113.9"),
            ("*", "example.cn"),
            ("*.", "example.cn"),
            ("*.*", "example.cn"),
            ("br*.example.cn", "broker.example.cn"),
            ("broker.*.cn", "broker.example.cn"),
            ("*./run/mqtt", "/run/mqtt"),
            ("203.0.113.0/24", "203.0.113.9"),
            ("", "example.cn"),
        ],
    )
    def test_what_they_do_not(self, pattern: str, host: str) -> None:
        assert not matches(pattern, host)

    labels = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=8).filter(
        lambda one: not one.isdigit() and not one.startswith(("xn--", "0x"))
    )
    names = st.lists(labels, min_size=1, max_size=4).map(".".join)

    @given(names, names)
    @example("example.cn", "notexample.cn")
    def test_a_wildcard_is_for_whole_labels_below(self, above: str, name: str) -> None:
        below = name.split(".")[-len(above.split(".")) - 1 :][1:] == above.split(".")
        assert matches(f"*.{above}", name) == (below and name != above)
        assert matches(f"*.{above}", f"{name}.{above}")
        assert not matches(f"*.{above}", f"{above}.evil")

    @given(names, st.data())
    def test_case_and_the_last_dot_do_not_count(self, name: str, data: st.DataObject) -> None:
        other = "".join(data.draw(st.sampled_from([one, one.upper()])) for one in name)
        assert matches(name, other + data.draw(st.sampled_from(["", "."])))

    @given(st.text())
    def test_any_text_is_a_host_or_none(self, text: str) -> None:
        host = host_of(text)
        assert host is None or host_matches(text, host)
        assert host is None or host_of(str(host)) == host

    @given(st.ip_addresses())
    def test_an_address_matches_itself_alone(self, address: IPv4Address | IPv6Address) -> None:
        host = host_of(str(address))
        assert isinstance(host, IPv4Address | IPv6Address)
        assert host_matches(str(address), host)
        assert not host_matches("*." + str(address), host)
        assert host_matches(address.exploded, host)
        assert not host_matches(str(type(host)(int(host) ^ 1)), host)
