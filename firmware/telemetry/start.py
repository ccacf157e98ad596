"""Puts a node together from the file of settings beside it and a generated decoder, and runs it."""

import json

from .dispatch import Dispatcher, RingReader
from .link import Link
from .mac import key_from_file
from .node import Node
from .sampler import Sampler
from .uplink import UplinkSettings

_FRAMES_A_TURN = 256
_REQUIRED = ("vehicle", "host")
_BOUNDS = {
    "port": (1, 65_535),
    "period_s": (0.01, 3600),
    "keep_alive_s": (1, 65_535),
    "receipt_timeout_s": (1, 3600),
    "segment_bytes": (2048, 65_535),
    "segments": (2, 65_535),
}
_KNOWN = {
    "vehicle",
    "host",
    "port",
    "key",
    "authority",
    "certificate",
    "certificate_key",
    "user",
    "password",
    "client_id",
    "period_s",
    "keep_alive_s",
    "receipt_timeout_s",
    "tells_status",
    "ring",
    "segment_bytes",
    "segments",
}


def read_settings(path: str) -> dict:
    """The settings of a node, a JSON object; docs/telemetry-node.md explains each.

    Raises:
        OSError: there is no such file.
        ValueError: it is no object, a name is missing, one is not known, or a number is out of its range.
    """
    with open(path) as file:
        found = json.load(file)
    if not isinstance(found, dict):
        raise ValueError("settings are no object")  # noqa: TRY004 - what is in a file is a value
    for name in _REQUIRED:
        if not found.get(name):
            raise ValueError("settings lack " + name)
    for name in found:
        if name not in _KNOWN:
            raise ValueError("unknown setting " + name)
    for name, (least, most) in _BOUNDS.items():
        number = found.get(name, least)
        if not isinstance(number, (int, float)) or not least <= number <= most:
            raise ValueError(name + " is not from " + str(least) + " to " + str(most))
    return found


def make_node(settings: dict, decoder, rings, clock=None) -> Node:
    """A node out of its settings.

    Args:
        settings: see `read_settings`.
        decoder: the generated module.
        rings: of the controllers, in the order of the decoder's buses.
        clock: the node's time, where the board knows more of it.
    """
    get = settings.get
    authority = get("authority", "authority.der")
    vehicle = settings["vehicle"]
    dispatcher = Dispatcher(decoder)
    readers = [RingReader(ring, bus, dispatcher) for bus, ring in enumerate(rings)]

    def feed(now: int) -> None:
        for reader in readers:
            reader.drain(now, _FRAMES_A_TURN)

    return Node(
        Sampler(decoder),
        vehicle,
        key_from_file(_content(get("key", "node.device.pem"))),
        get("ring", "/telemetry"),
        Link(
            settings["host"],
            get("port", 8883),
            authority and _content(authority),
            get("certificate") and _content(get("certificate")),
            get("certificate_key") and _content(get("certificate_key")),
        ),
        UplinkSettings(
            get("client_id", "nevgate-node-" + vehicle),
            get("user"),
            get("password"),
            keep_alive_s=get("keep_alive_s", 60),
            receipt_timeout_s=get("receipt_timeout_s", 60),
            tells_status=get("tells_status", True),
        ),
        period_ms=int(get("period_s", 10) * 1000),
        mask=decoder.MASK,
        clock=clock,
        feed=feed,
        segment_bytes=get("segment_bytes", 4096),
        segments=get("segments", 16),
    )


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
