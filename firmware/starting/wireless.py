"""Joins a wireless network, and leaves it to the port to join it again."""

import json


def join(path: str) -> object:
    """Begin to join; nothing waits for it.

    Args:
        path: a file of JSON with `ssid` and `password`.

    Raises:
        OSError: there is no such file.
        ValueError: it has no `ssid`.
    """
    import network  # noqa: PLC0415 - not every board has one

    with open(path) as file:
        settings = json.load(file)
    if not settings.get("ssid"):
        raise ValueError(path + " lacks ssid")
    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.connect(settings["ssid"], settings.get("password"))
    return station
