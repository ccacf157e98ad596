"""Names of protocols and services, for the reader of a list of destinations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge.egress.packet import (
    ETHERTYPE_ARP,
    ETHERTYPE_PPPOE_DISCOVERY,
    ICMP,
    ICMPV6,
    LLC,
    PPP_CONTROL,
    TCP,
    UDP,
)

_IP: Mapping[int, str] = MappingProxyType(
    {
        ICMP: "ICMP",
        2: "IGMP",
        4: "IPv4 in IP",
        TCP: "TCP",
        UDP: "UDP",
        33: "DCCP",
        41: "IPv6 in IP",
        47: "GRE",
        50: "ESP",
        51: "AH",
        ICMPV6: "ICMPv6",
        59: "no next header",
        103: "PIM",
        112: "VRRP",
        115: "L2TP",
        132: "SCTP",
        136: "UDP-Lite",
    }
)
_LINK: Mapping[int, str] = MappingProxyType(
    {
        LLC: "IEEE 802.2",
        PPP_CONTROL: "PPP control",
        ETHERTYPE_ARP: "ARP",
        0x22F0: "AVTP",
        ETHERTYPE_PPPOE_DISCOVERY: "PPPoE discovery",
        0x888E: "EAPOL",
        0x88E1: "HomePlug",
        0x88CC: "LLDP",
        0x88F7: "PTP",
    }
)
_SERVICES: Mapping[int, str] = MappingProxyType(
    {
        53: "DNS",
        67: "DHCP",
        68: "DHCP",
        80: "HTTP",
        123: "NTP",
        443: "HTTPS",
        546: "DHCPv6",
        547: "DHCPv6",
        853: "DNS over TLS",
        1883: "MQTT",
        1900: "SSDP",
        5353: "mDNS",
        8883: "MQTT over TLS",
        13400: "DoIP",
        15118: "ISO 15118",
        30490: "SOME/IP-SD",
    }
)
_LAST_IP_PROTOCOL = 255


def protocol_name(protocol: int) -> str:
    """The name of a protocol, or of what a frame carries in place of IP; else its number."""
    if protocol <= _LAST_IP_PROTOCOL:
        return _IP.get(protocol, f"IP protocol {protocol}")
    return _LINK.get(protocol, f"EtherType 0x{protocol:04x}")


def service_name(protocol: int, port: int | None) -> str:
    """What usually serves a port; empty where nothing does, or for a protocol without ports."""
    return _SERVICES.get(port or 0, "") if protocol in {TCP, UDP} else ""
